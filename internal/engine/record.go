package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/internal/wake"
)

// record settles deliveries of one disposition in one statement, and returns the
// ids whose receipts held.
func (s *shared) record(ctx context.Context, on table.Conn, to Disposition, deliveries []*Delivery) ([]int64, error) {
	deliveries, r := receipt.Sorted(deliveries, (*Delivery).receipt)
	bound := s.queue.Table.Indexed(on)
	switch to {
	case Delete:
		return table.Run(ctx, bound, queries.Delete, db.DeleteParams(r))
	case Archive:
		return table.Run(ctx, bound, queries.Archive, db.ArchiveParams(r))
	case Retry:
		delays, uncounted := make([]float64, len(deliveries)), make([]int32, len(deliveries))
		for i, d := range deliveries {
			if delays[i] = d.after.Seconds(); d.uncounted {
				uncounted[i] = 1
			}
		}
		return table.Run(ctx, bound, queries.Postpone, db.PostponeParams{
			MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts, Delays: delays, Uncounted: uncounted,
		})
	}
	notes := make([]json.RawMessage, len(deliveries))
	for i, d := range deliveries {
		notes[i] = d.note()
	}
	var target pgtype.Text // NULL is the archive
	if to == DeadLetter && s.options.DeadLetterTo != "" {
		target = pgtype.Text{String: s.options.DeadLetterTo, Valid: true}
	}
	return table.Run(ctx, bound, queries.DeadLetter, db.DeadLetterParams{
		Source: s.queue.Name, Target: target, MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts, Notes: notes,
	})
}

// attempt records deliveries once, and returns for each whether its receipt held.
func (s *shared) attempt(ctx context.Context, on table.Conn, to Disposition, deliveries []*Delivery) (held []generics.Result[bool], err error) {
	ids, err := s.record(ctx, on, to, deliveries)
	if err != nil {
		return nil, err
	}
	recorded := make(map[int64]bool, len(ids))
	for _, id := range ids {
		recorded[id] = true
	}
	// Of two deliveries of one message only the later one's receipt can hold.
	latest := make(map[int64]*Delivery, len(deliveries))
	for _, d := range deliveries {
		if other := latest[d.Row.MsgID]; other == nil || other.fetched.Before(d.fetched) {
			latest[d.Row.MsgID] = d
		}
	}
	kept := s.keptThough(ctx, on, deliveries, recorded)
	held = make([]generics.Result[bool], len(deliveries))
	for i, d := range deliveries {
		// While the lease lasts no other reader can have settled the message: if it is
		// gone, an earlier attempt worked whose answer was lost.
		if held[i].Value = recorded[d.Row.MsgID] && latest[d.Row.MsgID] == d || d.attempted && !s.leases.over(d); !held[i].Value && kept[d.Row.MsgID] {
			held[i].Err = pgerr.ErrNotStored
		}
	}
	return held, nil
}

// keptThough returns the messages that were not recorded though their receipts hold: a
// trigger, a rule or a policy left them as they are.
func (s *shared) keptThough(ctx context.Context, on table.Conn, deliveries []*Delivery, recorded map[int64]bool) map[int64]bool {
	left := slices.DeleteFunc(slices.Clone(deliveries), func(d *Delivery) bool { return recorded[d.Row.MsgID] })
	if len(left) == 0 {
		return nil
	}
	_, r := receipt.Sorted(left, (*Delivery).receipt)
	rows, err := table.Run(ctx, s.queue.Table.Indexed(on), queries.Existing, db.ExistingParams{MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts})
	if err != nil {
		return nil // only the reason is not known
	}
	kept := map[int64]bool{}
	for _, row := range rows {
		kept[row.MsgID] = row.Held
	}
	return kept
}

// attempted notes an attempt that failed and may have worked.
func attempted(deliveries []*Delivery, err error) error {
	if err != nil && !pgerr.Divisible(err) {
		for _, d := range deliveries {
			d.attempted = true
		}
	}
	return err
}

// onAnyConn runs f on a connection of the pool. When none is free soon, it runs f
// on the listening connection: the handlers whose results wait may have taken all
// connections of the pool.
func (s *shared) onAnyConn(ctx context.Context, f func(context.Context, table.Conn) error) error {
	soon, cancel := context.WithTimeout(ctx, s.options.VT/6)
	conn, release, err := s.acquire(soon)
	cancel()
	if err == nil {
		defer release()
		return f(ctx, conn)
	}
	listening := s.listener.Do(ctx, func(ctx context.Context, conn *pgx.Conn) error { return f(ctx, conn) })
	if errors.Is(listening, wake.ErrNotListening) {
		return err
	}
	return listening
}

// notify has waiting consumers scan again, for messages that came back.
func (s *shared) notify(ctx context.Context) {
	s.listener.Wake(s.key)
	_ = s.try(func() error { return queries.Notify(ctx, s.queue.DB) }) // only a hint: scans will find them as well
}
