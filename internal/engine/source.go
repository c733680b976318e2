package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/internal/wake"
)

// source reads and scans the queue. It belongs to the goroutine that fetches.
type source struct {
	*shared
	schedule scan.Schedule
	setAhead func(batches int) // tells the workers how many batches to fetch ahead
	bodySize int               // bytes, of the latest messages that came whole, on average
	took     time.Duration     // by the server, for the last read from the mark on
	snapshot snapshot          // of the last read
	lost     []lostFetch       // not given back yet
}

// snapshot has the results of a read besides its messages.
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
	s.recoverLost(ctx)
	s.snapshot = snapshot{}
	if ids := s.schedule.Take(time.Now(), n); len(ids) > 0 {
		deliveries, err := s.read(ctx, slices.Min(ids), func(ctx context.Context, on db.DBTX, vt time.Duration, apart int32) ([]fetch.Row, error) {
			rows, err := table.Run(ctx, on, queries.ReadID, db.ReadIDParams{VT: vt, MsgIDs: ids, Apart: apart})
			return fetch.ReadID(rows, apart), err
		})
		if len(deliveries) > 0 || err != nil {
			return deliveries, err
		}
	}
	s.schedule.Reads()
	s.snapshot.subscription = s.listener.Subscription(s.key)
	return s.read(ctx, s.schedule.Mark(), func(ctx context.Context, on db.DBTX, vt time.Duration, apart int32) ([]fetch.Row, error) {
		rows, err := table.Run(ctx, on, queries.Read, db.ReadParams{VT: vt, First: s.schedule.Mark(), N: int32(n), Apart: apart})
		if err != nil {
			return nil, err
		}
		found := fetch.Read(rows, apart)
		s.schedule.Found(rows, len(found) < n)
		s.took = scan.Took(rows[0].Took)
		s.listener.Ended(rows[0].OldestRunning)
		if len(found) > 0 {
			s.snapshot.nextID = rows[0].NextID
		}
		return found, nil
	})
}

// read begins leases of the messages that do reads, from an id on. After a failure
// it reads again with all messages apart: a single one may be at fault.
func (s *source) read(
	ctx context.Context, first int64,
	do func(ctx context.Context, on db.DBTX, vt time.Duration, apart int32) ([]fetch.Row, error),
) (deliveries []*Delivery, err error) {
	apart := int32(fetch.Large)
	err = s.persist(ctx, func(attempt context.Context) error {
		s.debts.await(attempt, answerTimeout)
		conn, release, err := s.acquire(attempt)
		if err != nil {
			return fmt.Errorf("connection of the pool: %w", err)
		}
		defer release()
		for {
			// A read that has begun goes on after ctx: the messages that it hides must
			// be known.
			reading, cancel := outlast(ctx, statementTimeout, answerTimeout)
			defer cancel()
			asked, vt := time.Now(), s.markedVT()
			rows, err := do(reading, s.queue.Table.Indexed(conn), vt, apart)
			if err == nil {
				deliveries = s.begin(rows, asked)
				return nil
			}
			s.failed(ctx, lostFetch{first: first, vt: vt, asked: asked}, err)
			again := apart != fetch.All && fetch.OfRow(err)
			if !pgerr.EndedSession(err) {
				apart = fetch.All
			}
			if !again {
				return err
			}
		}
	})
	return deliveries, err
}

// begin begins the leases of rows that were asked for at a time.
func (s *source) begin(rows []fetch.Row, asked time.Time) []*Delivery {
	slices.SortFunc(rows, func(a, b fetch.Row) int {
		// Those that are apart keep a worker busy: the small ones go first.
		return cmp.Or(cmp.Compare(apartSize(a), apartSize(b)), cmp.Compare(a.MsgID, b.MsgID))
	})
	var deliveries []*Delivery
	size, whole := 0, 0
	for _, row := range rows {
		deliveries = append(deliveries, &Delivery{Row: row.Message, apart: apartSize(row), fetched: time.Now()})
		if !row.Apart {
			whole++
			size += len(row.Message.Message) + len(row.Headers)
		}
	}
	if whole > 0 {
		s.bodySize = size / whole
		s.setAhead(min(s.options.Prefetch, maxAheadBytes/max(s.bodySize, minBodySize)) / s.options.BatchSize)
	}
	s.leases.add(deliveries, asked)
	return deliveries
}

// scan looks at the messages from first on and below before, through outages.
func (s *source) scan(ctx context.Context, first, before int64) (found db.ScanRow, err error) {
	s.recoverLost(ctx)
	err = s.persist(ctx, func(ctx context.Context) (err error) {
		conn, release, err := s.acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		found, err = table.Run(ctx, s.queue.Table.Indexed(conn), queries.Scan, scan.Params(first, before))
		return err
	})
	if err == nil {
		s.listener.Ended(found.OldestRunning)
		s.schedule.Scanned(first, before, found)
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
