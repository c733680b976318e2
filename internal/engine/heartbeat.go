package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/table"
)

// heartbeat extends leases for as long as handlers run.
type heartbeat struct {
	*shared
	recall func(before time.Time) // gives back messages that have waited for a worker since then
	mu     sync.Mutex             // held while leases are extended
}

// run extends all leases by one statement, three times in a VT, until ctx ends.
func (h *heartbeat) run(ctx context.Context) {
	beat := h.options.VT / beatsPerVT
	for next := beat; generics.Sleep(ctx, next); {
		h.recall(time.Now().Add(-beat))
		next = beat
		if err := h.extend(ctx); err != nil && ctx.Err() == nil {
			h.outages.begin(ctx, err)
			next = beat / 4
		}
	}
}

// expire loses leases when their time is over, also while a heartbeat waits for
// its answer, until ctx ends.
func (h *heartbeat) expire(ctx context.Context) {
	check := h.options.VT / checksPerVT
	for next := check; generics.Sleep(ctx, next); {
		next = min(check, h.leases.expire(time.Now()))
	}
}

// wait waits for the end of a heartbeat that began before deliveries were settled,
// which must not overtake their statement. A later one leaves them out.
func (h *heartbeat) wait() {
	h.mu.Lock()
	defer h.mu.Unlock()
}

// extend extends the leases whose handlers still have time, and finds out which are
// lost.
func (h *heartbeat) extend(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	asked := time.Now()
	deliveries := h.leases.extensible(asked)
	if len(deliveries) == 0 {
		return nil
	}
	var kept map[int64]bool
	err := h.try(func() (err error) {
		kept, err = h.extendOnAny(ctx, deliveries)
		return err
	})
	if err != nil {
		return err
	}
	h.outages.over(ctx)
	still := slices.DeleteFunc(slices.Clone(deliveries), func(d *Delivery) bool { return !kept[d.Row.MsgID] })
	h.leases.extended(still, asked)
	for _, d := range deliveries {
		if !kept[d.Row.MsgID] {
			h.leases.lose(d, leaseLost("another has the message, or it is gone"))
		}
	}
	return nil
}

// extendOnAny returns the ids whose leases were extended. It prefers the listening
// connection: the handlers may have taken all connections of the pool.
func (h *heartbeat) extendOnAny(ctx context.Context, deliveries []*Delivery) (kept map[int64]bool, err error) {
	kept = map[int64]bool{}
	extend := func(ctx context.Context, on table.Conn) error {
		_, r := receipt.Sorted(deliveries, (*Delivery).receipt)
		rows, err := table.Run(ctx, h.queue.Table.Indexed(on), queries.SetVT, db.SetVTParams{
			VT: h.options.VT, MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts,
		})
		for _, row := range rows {
			kept[row.MsgID] = true
		}
		return err
	}
	soon := min(answerTimeout, h.options.VT/6)
	listening, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	err = h.listener.Do(listening, func(ctx context.Context, conn *pgx.Conn) error { return extend(ctx, conn) })
	if err != nil {
		pooled, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		err = extend(pooled, h.pool)
	}
	return kept, err
}
