package feed

import (
	"context"
	"errors"
	"slices"

	"github.com/pgmq-go/pgmq/queue"
)

// Item is a line that can be sent.
type Item[B any] struct {
	Number int // of the line
	Body   B
}

// Sender sends lines in batches. One that cannot be stored is left out, and the
// others go all the same.
type Sender[B any] struct {
	Send    func(context.Context, []B) (ids []int64, err error)
	Sent    func(items []Item[B], ids []int64) // called after each batch that was sent
	LeftOut func(number int, err error)        // called for a line that cannot be stored
}

// Deliver sends a batch. Its error is that of Send, unless that is about one line.
// It changes the batch.
func (s Sender[B]) Deliver(ctx context.Context, batch []Item[B]) error {
	if len(batch) == 0 {
		return nil
	}
	bodies := make([]B, len(batch))
	for i, item := range batch {
		bodies[i] = item.Body
	}
	ids, err := s.Send(ctx, bodies)
	var bad *queue.EncodeError
	var out *queue.NotStoredError
	switch {
	case err == nil:
		s.Sent(batch, ids)
		return nil
	case errors.As(err, &out) && len(out.Indexes) > 0:
		for _, i := range out.Indexes {
			s.LeftOut(batch[i].Number, queue.ErrNotStored)
		}
		for _, i := range slices.Backward(out.Indexes) {
			batch = slices.Delete(batch, i, i+1)
		}
		return s.Deliver(ctx, batch)
	case !errors.As(err, &bad):
		return err
	case bad.Index >= 0:
		s.LeftOut(batch[bad.Index].Number, bad.Err)
		return s.Deliver(ctx, slices.Delete(batch, bad.Index, bad.Index+1))
	case len(batch) == 1:
		s.LeftOut(batch[0].Number, bad.Err)
		return nil
	}
	// It is one of them, and the server did not say which: bisect.
	half := len(batch) / 2
	if err := s.Deliver(ctx, batch[:half:half]); err != nil {
		return err
	}
	return s.Deliver(ctx, batch[half:])
}
