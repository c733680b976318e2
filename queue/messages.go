package queue

import (
	"context"
	"errors"
	"iter"

	"github.com/pgmq-go/pgmq/internal/engine"
	"github.com/pgmq-go/pgmq/internal/fetch"
)

// Messages loops over the messages of the queue as they come, oldest first, for a
// loop in place of a handler:
//
//	for m, err := range orders.Messages(ctx) {
//		if err != nil { … }
//		ship(m.Body.OrderID)
//		err = orders.Delete(ctx, m)
//	}
//
// The body of the loop settles each message; one that it does not settle comes back
// when its VT ends. Messages extends the lease until the body is done with the message;
// Delete, Archive and SetVT return an error if the lease was lost all the same. It
// fetches up to ten messages at a time. Leaving the loop gives the rest back.
//
// The loop ends when ctx does or, with the option WaitFor, when nothing came for
// that long. It waits for the end of outages, as Consume does. An error is a
// [*DecodeError] or [*FetchError], after which the loop goes on and the message comes
// back as with Read; or an error that ends Consume, which ends the loop, too.
func (q *Queue[T]) Messages(ctx context.Context, opts ...ReadOption) iter.Seq2[*Message[T], error] {
	return func(yield func(*Message[T], error) bool) {
		err := q.loop(ctx, opts, func(d *engine.Delivery) bool {
			var m *Message[T]
			err := d.Err
			if failed := (*fetch.Error)(nil); errors.As(err, &failed) {
				err = (*FetchError)(failed)
			} else if err == nil {
				m, err = q.message(d.Row)
			}
			if err != nil {
				return yield(nil, q.fail("messages", err))
			}
			return yield(m, nil)
		})
		if err != nil {
			yield(nil, q.fail("messages", err))
		}
	}
}

// loop calls do with one delivery after another until it returns false.
func (c core) loop(ctx context.Context, opts []ReadOption, do func(*engine.Delivery) bool) error {
	read, err := readOptionsOf(opts)
	if err != nil {
		return err
	}
	o, err := consumeOptionsOf([]ConsumeOption{VT(read.vt), BatchSize(loopAhead)}, true)
	if err != nil {
		return err
	}
	pool, err := c.pool("Messages")
	if err != nil {
		return err
	}
	e := engine.New(c.bound, pool, o.Options, nil, c.toldOf(nil).engineEvents)
	return e.Each(ctx, read.wait, do)
}
