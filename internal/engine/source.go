package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/internal/wake"
)

// source reads and scans the queue. It belongs to the goroutine that fetches.
type source struct {
	*shared
	schedule scan.Schedule
	setAhead func(batches int) // tells the workers how many batches to fetch ahead
	bodySize int               // bytes, of the latest messages on average
	took     time.Duration     // by the server, for the last read
	snapshot snapshot          // of the last read
}

// snapshot is what a read saw besides its messages.
type snapshot struct {
	nextID       int64             // transactions from here on had not begun to send; 0 if not known
	subscription wake.Subscription // just before the read
}

// coveredBelow returns the id of the transactions that may have sent without
// notifying since the snapshot, or 0 if that is not known.
func (s snapshot) coveredBelow(now wake.Subscription) int64 {
	if s.nextID > 0 && now.Continues(s.subscription) {
		return s.nextID
	}
	return 0
}

// clamp returns how many of n messages to fetch at once, judging by the size of the
// latest. The messages of a batch come together unless they are too large for that.
func (s *source) clamp(n int) int {
	size := max(s.bodySize, minBodySize)
	few := min(max(maxFetchBytes/size, s.options.BatchSize), maxAheadBytes/size)
	return max(1, min(n, few))
}

// claim reads up to n messages, through outages.
func (s *source) claim(ctx context.Context, n int) ([]*Delivery, error) {
	if err := s.sweep(ctx, true); err != nil {
		return nil, err
	}
	s.snapshot = snapshot{}
	if ids := s.schedule.Take(time.Now(), n); len(ids) > 0 {
		deliveries, err := s.read(ctx, func(ctx context.Context, on db.DBTX) ([]db.Message, error) {
			return table.Run(ctx, on, queries.ReadID, db.ReadIDParams{VT: s.options.VT, MsgIDs: ids})
		})
		if len(deliveries) > 0 || err != nil {
			return deliveries, err
		}
	}
	s.schedule.Reads()
	s.snapshot.subscription = s.listener.Subscription(s.key)
	return s.read(ctx, func(ctx context.Context, on db.DBTX) ([]db.Message, error) {
		rows, err := table.Run(ctx, on, queries.Read, db.ReadParams{VT: s.options.VT, First: s.schedule.Mark(), N: int32(n)})
		s.schedule.Found(rows, len(rows) < n)
		if len(rows) > 0 {
			s.listener.Ended(rows[0].OldestRunning)
			s.snapshot.nextID = rows[0].NextID
		}
		return Messages(rows), err
	})
}

// Messages returns the messages of rows.
func Messages(rows []db.ReadRow) []db.Message {
	msgs := make([]db.Message, len(rows))
	for i, row := range rows {
		msgs[i] = db.Message{
			MsgID: row.MsgID, ReadCt: row.ReadCt, EnqueuedAt: row.EnqueuedAt, LastReadAt: row.LastReadAt,
			VT: row.VT, Message: row.Message, Headers: row.Headers,
		}
	}
	return msgs
}

// read begins leases of the messages that do reads.
func (s *source) read(
	ctx context.Context, do func(context.Context, db.DBTX) ([]db.Message, error),
) (deliveries []*Delivery, err error) {
	err = s.persist(ctx, func(attempt context.Context) error {
		s.debts.await(attempt, answerTimeout)
		conn, release, err := s.acquire(attempt)
		if err != nil {
			return fmt.Errorf("connection of the pool: %w", err)
		}
		defer release()
		// A read that has begun goes on after ctx: the messages that it hides must
		// be known.
		reading, cancel := outlast(ctx, statementTimeout, answerTimeout)
		defer cancel()
		asked := time.Now()
		rows, err := do(reading, s.queue.Table.Indexed(conn))
		if err != nil {
			return err
		}
		s.took = time.Since(asked) // without the wait for a connection
		slices.SortFunc(rows, func(a, b db.Message) int { return cmp.Compare(a.MsgID, b.MsgID) })
		size := 0
		for _, row := range rows {
			size += len(row.Message) + len(row.Headers)
			deliveries = append(deliveries, &Delivery{Row: row, fetched: time.Now()})
		}
		if len(rows) > 0 {
			s.bodySize = size / len(rows)
			s.setAhead(min(s.options.Prefetch, maxAheadBytes/max(s.bodySize, minBodySize)) / s.options.BatchSize)
		}
		s.leases.add(deliveries, asked)
		return nil
	})
	return deliveries, err
}

// scan looks at the messages from first on and below before, through outages.
func (s *source) scan(ctx context.Context, first, before int64) (found db.ScanRow, err error) {
	took := time.Duration(0)
	err = s.persist(ctx, func(ctx context.Context) (err error) {
		conn, release, err := s.acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		start := time.Now()
		found, err = table.Run(ctx, s.queue.Table.Indexed(conn), queries.Scan, scan.Params(first, before))
		took = time.Since(start)
		return err
	})
	if err == nil {
		s.listener.Ended(found.OldestRunning)
		s.schedule.Scanned(first, before, found, took)
	}
	return found, err
}

// sweep makes the next step below the low-water mark, if it is time for one.
func (s *source) sweep(ctx context.Context, busy bool) error {
	first, before, ok := s.schedule.Sweep(time.Now(), busy)
	if !ok {
		return nil
	}
	_, err := s.scan(ctx, first, before)
	return err
}
