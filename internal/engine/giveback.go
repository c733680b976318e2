package engine

import (
	"context"
	"slices"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/table"
)

// giveBack makes messages visible again that no handler has had, as if they had not
// been read.
func (h *heartbeat) giveBack(batches []batch) {
	deliveries := slices.Concat(batches...)
	h.leases.move(deliveries, stageSettling, nil)
	defer h.leases.remove(deliveries)
	ctx, cancel := context.WithTimeout(h.life, answerTimeout)
	defer cancel()
	h.wait()
	_, r := receipt.Sorted(deliveries, (*Delivery).receipt)
	var ids []int64
	err := h.try(func() (err error) {
		ids, err = table.Run(ctx, h.queue.Indexed, queries.GiveBack, db.GiveBackParams(r))
		return err
	})
	if err != nil {
		h.outages.begin(ctx, err) // they come back when their VT ends
		return
	}
	h.notify(ctx)
	reads := map[int64]int32{}
	for _, d := range deliveries {
		reads[d.Row.MsgID] = d.Row.ReadCt - 1
	}
	for _, id := range ids {
		h.observe(ctx, Event{Kind: EventReturned, ID: id, Count: 1, Reads: int(reads[id])})
	}
}
