package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Consume hands messages to handle, several at a time, until ctx is done. Then
// it fetches no more, gives back what was not started, waits for the handlers
// that run, for as long as Grace, and returns nil.
//
//   - When handle returns nil, the message is deleted, or archived with
//     KeepArchive. When it returns an error or panics, the message comes back
//     after the Backoff; see RetryIn, DeadLetter and Discard for the rest.
//   - The lease of a message is extended for as long as its handler runs. The
//     messages of a process that dies come back when their VT ends.
//   - A message whose body is no T, and one that failed for the last time that
//     MaxReads allows, is a dead letter: it goes to the DeadLetterTo queue, or to
//     the archive, with the reason among its headers. See [Redrive]. While that
//     fails it stays in the queue, told as LeaseLost, and is tried again when its
//     lease ends; nothing else waits for it.
//   - A new message reaches an idle consumer at once, by a notification; one that
//     falls due, by a timer. Where notifications do not arrive it polls.
//   - When the database goes away, Consume tells the observer once, tries again
//     until it is back, and goes on.
//
// A message may be delivered more than once; for an effect in the same database
// that happens once, see [Queue.ConsumeTx].
//
// The queue must be on a *pgxpool.Pool; else, and for an option out of its
// range, the error is [ErrOption]. [ErrNoQueue], at the start for the dead-letter
// queue too, and [ErrNoSchema] end it, as do errors that stay: no permission, a
// wrong password, no such database. [ErrStopped] says that handlers still ran when
// Grace was over; they go on, and their messages come back after their VT.
func (q *Queue[T]) Consume(ctx context.Context, handle Handler[T], opts ...ConsumeOption) error {
	return q.consume(ctx, opts, false, func(ctx context.Context, p parcel) {
		q.each(p, func(_ *job, m *Message[T]) error { return handle(ctx, m) })
	})
}

// ConsumeTx is Consume with a transaction for each delivery: what handle writes
// in tx and the settling of the message commit together, so the effect happens
// exactly once, however often the message is delivered. When handle fails, tx
// rolls back, and the message is retried as Consume does; its reads count all the
// same.
//
// Each running handler holds a connection of the pool. An open transaction holds
// back the server's vacuum: keep handlers short.
func (q *Queue[T]) ConsumeTx(ctx context.Context, handle TxHandler[T], opts ...ConsumeOption) error {
	return q.consume(ctx, opts, false, func(ctx context.Context, p parcel) {
		q.each(p, func(j *job, m *Message[T]) error {
			return j.c.inTx(ctx, j, func(tx pgx.Tx) error { return handle(ctx, tx, m) })
		})
	})
}

// ConsumeBatch is Consume with up to n messages at once, as the option [Batch]
// says. Workers is then how many batches are handled at once.
func (q *Queue[T]) ConsumeBatch(ctx context.Context, handle BatchHandler[T], opts ...ConsumeOption) error {
	return q.consume(ctx, opts, true, func(ctx context.Context, p parcel) {
		var msgs []*Message[T]
		q.each(p, func(_ *job, m *Message[T]) error {
			msgs = append(msgs, m)
			return errNoReturn
		})
		if len(msgs) == 0 {
			return
		}
		err := guard(func() error { return handle(ctx, msgs) })
		failures, some := errors.AsType[Failures](err)
		for _, j := range p {
			switch {
			case j.undecoded:
			case some:
				j.err = failures[j.row.MsgID]
			default:
				j.err = err
			}
		}
	})
}

// each hands the messages of a parcel to do, and notes the results.
func (q *Queue[T]) each(p parcel, do func(*job, *Message[T]) error) {
	for _, j := range p {
		m, err := q.message(j.row)
		if err != nil {
			j.undecoded, j.err = true, err
			continue
		}
		j.err = errNoReturn
		j.err = guard(func() error { return do(j, m) })
	}
}

// Run runs several consumers as one: each consume is called with a ctx that ends
// when ctx does, or when one of them returns an error. It returns when all have
// ended, with their errors joined. Consumers on one pool share one listening
// connection anyhow.
//
//	err := queue.Run(ctx,
//		func(ctx context.Context) error { return orders.Consume(ctx, ship) },
//		func(ctx context.Context) error { return mails.Consume(ctx, deliver) },
//	)
func Run(ctx context.Context, consume ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(consume))
	var all sync.WaitGroup
	for i, one := range consume {
		all.Go(func() {
			if errs[i] = one(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (h handle) consume(ctx context.Context, opts []ConsumeOption, batches bool, work func(context.Context, parcel)) error {
	o, err := consumeOptionsOf(opts)
	if err == nil && h.pool() == nil {
		err = fmt.Errorf("%w: a consumer needs a *pgxpool.Pool, and the queue is on a %T", ErrOption, h.source)
	}
	if err == nil {
		if !batches {
			o.batch = Batch{N: 1}
		}
		err = newConsumer(h, o, work).run(ctx)
	}
	if err != nil {
		return h.fail("consume", err)
	}
	return nil
}
