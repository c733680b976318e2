package queue

import (
	"context"
	"fmt"
	"iter"

	"github.com/pgmq-go/pgmq/db"
)

// mostAhead is how many messages a loop over Messages has in hand.
const mostAhead = 10

// Messages loops over the messages of the queue as they come, oldest first, for
// those who want a loop instead of a handler:
//
//	for m, err := range orders.Messages(ctx) {
//		if err != nil { … }
//		ship(m.Body.OrderID)
//		err = orders.Delete(ctx, m)
//	}
//
// The body of the loop settles each message; one that it does not settle comes
// back when its VT ends. Until the body is done with it the lease is extended,
// and Delete, Archive and SetVT say if it was lost all the same. Messages are
// fetched by up to ten; leaving the loop gives the rest back.
//
// The loop ends when ctx does or, with the option Wait, when nothing came for
// that long. Outages are waited out as in Consume. An error is a [*DecodeError],
// after which the loop goes on and the message comes back as with Read; or one
// of those that end Consume, and the last round.
func (q *Queue[T]) Messages(ctx context.Context, opts ...ReadOption) iter.Seq2[*Message[T], error] {
	return func(yield func(*Message[T], error) bool) {
		err := q.loop(ctx, opts, func(row db.Message) bool {
			m, err := q.message(row)
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

// loop calls do with one row after another until it returns false.
func (h handle) loop(ctx context.Context, opts []ReadOption, do func(db.Message) bool) error {
	read, err := readOptionsOf(opts)
	if err != nil {
		return err
	}
	o, err := consumeOptionsOf([]ConsumeOption{VT(read.vt), Batch{N: mostAhead}})
	if err != nil {
		return err
	}
	if h.pool() == nil {
		return fmt.Errorf("%w: Messages needs a *pgxpool.Pool, and the queue is on a %T", ErrOption, h.source)
	}
	c := newConsumer(h, o, nil)
	end, err := c.open(ctx)
	if err != nil {
		return c.reason(ctx, err)
	}
	defer end()
	for {
		waiting, cancel := ctx, func() {}
		if read.wait > 0 {
			waiting, cancel = context.WithTimeout(ctx, read.wait)
		}
		parcels, err := c.fetch(waiting, func() int { return 1 })
		cancel()
		if err != nil {
			return c.reason(waiting, err)
		}
		if !c.handOut(ctx, parcels[0], do) {
			return nil
		}
	}
}

// handOut calls do with the jobs' rows, and gives back what it did not get to.
func (c *consumer) handOut(ctx context.Context, jobs parcel, do func(db.Message) bool) (goOn bool) {
	done := 0
	defer func() {
		if done < len(jobs) {
			c.giveBack([]parcel{jobs[done:]})
		}
	}()
	for _, j := range jobs {
		if ctx.Err() != nil {
			return false
		}
		done++
		if c.held.whyLost(j) != nil {
			continue // another has it
		}
		goOn := do(j.row)
		c.held.remove(parcel{j})
		if !goOn {
			return false
		}
	}
	return true
}
