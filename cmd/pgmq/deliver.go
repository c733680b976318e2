package main

import (
	"context"
	"errors"
	"slices"

	"github.com/pgmq-go/pgmq/queue"
)

// parcel is a line that can be sent.
type parcel[B any] struct {
	number int
	body   B
}

// delivery sends lines in batches. One that cannot be stored is left out, and the
// others go all the same.
type delivery[B any] struct {
	send    func(context.Context, []B) (ids []int64, err error)
	sent    func(part []parcel[B], ids []int64)
	leftOut func(number int, err error)
}

func (d delivery[B]) deliver(ctx context.Context, batch []parcel[B]) error {
	if len(batch) == 0 {
		return nil
	}
	bodies := make([]B, len(batch))
	for i, p := range batch {
		bodies[i] = p.body
	}
	ids, err := d.send(ctx, bodies)
	var bad *queue.EncodeError
	switch {
	case err == nil:
		d.sent(batch, ids)
		return nil
	case !errors.As(err, &bad):
		return err
	case bad.Index >= 0:
		d.leftOut(batch[bad.Index].number, bad.Err)
		return d.deliver(ctx, slices.Delete(batch, bad.Index, bad.Index+1))
	case len(batch) == 1:
		d.leftOut(batch[0].number, bad.Err)
		return nil
	}
	// One of them, and the server did not say which: look in halves.
	half := len(batch) / 2
	if err := d.deliver(ctx, batch[:half:half]); err != nil {
		return err
	}
	return d.deliver(ctx, batch[half:])
}
