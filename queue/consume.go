package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/engine"
	"github.com/pgmq-go/pgmq/internal/guard"
	"github.com/pgmq-go/pgmq/internal/receipt"
)

// Consume hands messages to handle, several at a time, until ctx ends. Then it
// fetches no more, gives back the messages that no handler has begun, waits for the
// running handlers, at most for the ShutdownGrace, and returns nil.
//
//   - When handle returns nil, Consume deletes the message, or archives it with
//     ArchiveDone. When handle returns an error or panics, the message comes back
//     after the Backoff; RetryIn, DeadLetter and Discard say otherwise.
//   - Consume extends the lease of a message while its handler runs. The messages
//     of a process that dies come back when their VT ends.
//   - A message becomes a dead letter when its body does not decode into T, or when
//     the last delivery that MaxReads allows fails. It goes to the DeadLetterTo
//     queue, or to the archive, with the reason in a header. See admin.Redrive. If
//     it cannot be written, it stays in the queue, is reported as EventLeaseLost, and
//     is tried again when its lease ends; no other message waits for it.
//   - A notification brings a new message to an idle consumer at once. A timer brings
//     a delayed message when it falls due. Where notifications do not arrive, Consume
//     polls.
//   - A read does not count when Consume itself ended the handler: at the end of
//     the ShutdownGrace, or after a lost lease. The message comes back at once.
//   - When the database goes away, Consume tells the observers once, retries until the
//     database is back, and goes on.
//
// A message may be delivered more than once. [Queue.ConsumeTx] gives an effect in
// the same database exactly once.
//
// The queue must be on a *pgxpool.Pool; otherwise, and for an option that is out of
// its range or does not apply, the error is [ErrInvalidOption]. [ErrNoQueue], at the
// start for the dead-letter queue too, and [ErrNoSchema] end Consume, as do errors
// that stay: no permission, a wrong password, no such database. [ErrGraceExpired]
// says that handlers still ran when the ShutdownGrace was over; they go on, and their
// messages come back after their VT.
func (q *Queue[T]) Consume(ctx context.Context, handle Handler[T], opts ...ConsumeOption) error {
	return q.consume(ctx, opts, false, func(ctx context.Context, _ *engine.Engine, _ *engine.Delivery, m *Message[T]) error {
		return q.intercepted(ctx, []*Message[T]{m}, func(ctx context.Context) error { return handle(ctx, m) })
	}, nil)
}

// ConsumeTx is Consume with a transaction for each delivery: the writes of handle in
// tx and the settling of the message commit together. So the effect happens exactly
// once, however often the message is delivered. When handle fails, tx rolls back, and
// the message is retried as by Consume; its reads count all the same.
//
// handle does not end tx: see [TxHandler].
//
// Each running handler holds a connection of the pool. All ConsumeTx of a pool
// together leave two connections for other statements, including the handlers' own.
// So give a pool Workers + 2 for each. With fewer, fewer handlers run at once; if
// you set [Workers], [EventPoolShort] reports it. A pool of one connection is [ErrInvalidOption]. An open
// transaction holds back the server's vacuum: keep handlers short.
func (q *Queue[T]) ConsumeTx(ctx context.Context, handle TxHandler[T], opts ...ConsumeOption) error {
	return q.consume(ctx, slices.Concat(opts, []ConsumeOption{inTx{}}), false, func(ctx context.Context, e *engine.Engine, d *engine.Delivery, m *Message[T]) error {
		return e.InTx(ctx, d, func(tx pgx.Tx) error {
			return q.intercepted(ctx, []*Message[T]{m}, func(ctx context.Context) error { return handle(ctx, tx, m) })
		})
	}, nil)
}

// ConsumeBatch is Consume with several messages at once, up to [BatchSize]. Workers
// is then the number of batches that are handled at once.
func (q *Queue[T]) ConsumeBatch(ctx context.Context, handle BatchHandler[T], opts ...ConsumeOption) error {
	return q.consume(ctx, opts, true, nil, func(ctx context.Context, msgs []*Message[T]) error {
		return q.intercepted(ctx, msgs, func(ctx context.Context) error { return handle(ctx, msgs) })
	})
}

// Run runs several consumers as one. It calls each with a ctx that ends when ctx
// does, or when one of them returns an error. It returns when all have ended, with
// their errors joined; nil when none failed. It is an errgroup whose Wait returns all
// errors.
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

// consume runs an engine that calls one for each message, or many for those of a
// batch.
func (q *Queue[T]) consume(
	ctx context.Context, opts []ConsumeOption, batches bool,
	one func(context.Context, *engine.Engine, *engine.Delivery, *Message[T]) error,
	many func(context.Context, []*Message[T]) error,
) error {
	o, err := consumeOptionsOf(opts, batches)
	if err != nil {
		return q.fail("consume", err)
	}
	pool, err := q.pool("a consumer")
	if err != nil {
		return q.fail("consume", err)
	}
	told := q.toldOf(o.observers)
	if o.custom != nil {
		o.Backoff = told.guardedBackoff(o.custom, o.Backoff)
	}
	var e *engine.Engine
	e = engine.New(q.bound, pool, o.Options, func(ctx context.Context, deliveries []*engine.Delivery) {
		if batches {
			q.handleBatch(ctx, deliveries, many)
			return
		}
		for d, m := range q.decoded(deliveries) {
			d.Err = guarded("", func() error { return one(ctx, e, d, m) })
		}
	}, told.engineEvents)
	if err := e.Run(ctx); err != nil {
		return q.fail("consume", err)
	}
	return nil
}

// decoded loops over the deliveries whose bodies decode. It sets the result of the
// others, and the result of a handler that does not return.
func (q *Queue[T]) decoded(deliveries []*engine.Delivery) iter.Seq2[*engine.Delivery, *Message[T]] {
	return func(yield func(*engine.Delivery, *Message[T]) bool) {
		for _, d := range deliveries {
			m, err := q.message(d.Row)
			if err != nil {
				d.Undecodable, d.Err = true, err
				continue
			}
			d.Err = guard.ErrNoReturn
			if !yield(d, m) {
				return
			}
		}
	}
}

// handleBatch calls handle with the messages that decode, and sets their results.
func (q *Queue[T]) handleBatch(
	ctx context.Context, deliveries []*engine.Delivery, handle func(context.Context, []*Message[T]) error,
) {
	var msgs []*Message[T]
	var handled []*engine.Delivery
	for d, m := range q.decoded(deliveries) {
		handled, msgs = append(handled, d), append(msgs, m)
	}
	if len(msgs) == 0 {
		return
	}
	err := guarded("", func() error { return handle(ctx, msgs) })
	failures, some := errors.AsType[Failures](err)
	if some {
		if others := receipt.Without(slices.Collect(maps.Keys(failures)), ids(msgs)); len(others) > 0 {
			some, err = false, fmt.Errorf("the handler's Failures name messages that are not of the batch: %s", list(others))
		}
	}
	for _, d := range handled {
		if d.Err = err; some {
			d.Err = guarded("the error of the handler", func() error { return failures[d.Row.MsgID] })
		}
	}
}

// intercepted calls a handler with interceptors around it.
func (q *Queue[T]) intercepted(ctx context.Context, msgs []*Message[T], handle func(context.Context) error) error {
	if len(q.interceptors) == 0 {
		return handle(ctx)
	}
	op := &Operation{Kind: OpHandle}
	deliver(op, msgs)
	return q.aroundHandler(ctx, op, func(ctx context.Context) error {
		return guarded("", func() error { return handle(ctx) })
	})
}
