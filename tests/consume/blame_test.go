package consume

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

type order = check.Order

// A deploy ends handlers that take long. That is no failure of their messages, for any
// result of the handlers.
func TestADeployCountsNoRead(t *testing.T) {
	check.Parallel(t)
	waiting := func(result func(context.Context) error) func(*queue.Queue[order], context.Context, chan<- struct{}, ...queue.ConsumeOption) error {
		return func(q *queue.Queue[order], ctx context.Context, began chan<- struct{}, opts ...queue.ConsumeOption) error {
			return q.Consume(ctx, func(ctx context.Context, _ *queue.Message[order]) error {
				began <- struct{}{}
				<-ctx.Done()
				return result(ctx)
			}, opts...)
		}
	}
	for name, consume := range map[string]func(*queue.Queue[order], context.Context, chan<- struct{}, ...queue.ConsumeOption) error{
		"the cause":     waiting(context.Cause),
		"ctx's error":   waiting(func(ctx context.Context) error { return fmt.Errorf("ship: %w", ctx.Err()) }),
		"another":       waiting(func(context.Context) error { return check.ErrWork }),
		"a dead letter": waiting(func(ctx context.Context) error { return queue.DeadLetter(ctx.Err()) }),
		"a retry":       waiting(func(context.Context) error { return queue.RetryIn(0, nil) }),
		"a panic":       waiting(func(ctx context.Context) error { panic(ctx.Err()) }),
		"a batch": func(q *queue.Queue[order], ctx context.Context, began chan<- struct{}, opts ...queue.ConsumeOption) error {
			return q.ConsumeBatch(ctx, func(ctx context.Context, msgs []*queue.Message[order]) error {
				began <- struct{}{}
				<-ctx.Done()
				return queue.Failures{msgs[0].ID: ctx.Err()}
			}, opts...)
		},
		"a statement": func(q *queue.Queue[order], ctx context.Context, began chan<- struct{}, opts ...queue.ConsumeOption) error {
			return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, _ *queue.Message[order]) error {
				began <- struct{}{}
				_, err := tx.Exec(ctx, `SELECT pg_sleep(60)`)
				return err
			}, opts...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[order](t)
			check.Send(t, q, order{})
			began := make(chan struct{}, 1)
			c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
				return consume(q, ctx, began, queue.MaxReads(1), queue.ShutdownGrace(10*time.Second), observe)
			})
			check.Receive(t, began)
			check.OK(t, c.End())
			check.Equal(t, "told", len(c.Of(queue.EventReturned)), 1)
			check.Equal(t, "its reads", check.ReadOne(t, q).Reads, 1) // at once, as if it had not been read
		})
	}
}

// The lease of one message of a batch ends the handler for all of them.
func TestALostLeaseIsNoFailureOfTheRestOfItsBatch(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[order](t)
	sent := check.SendBatch(t, q, make([]order, 2))
	reads := make(chan int, 1)
	began := make(chan struct{})
	check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeBatch(ctx, func(ctx context.Context, msgs []*queue.Message[order]) error {
			if len(msgs) == 1 {
				reads <- msgs[0].Reads
				return nil
			}
			close(began)
			<-ctx.Done()
			return context.Cause(ctx)
		}, queue.VT(3*time.Second), queue.MaxReads(1), observe)
	})
	check.Receive(t, began)
	check.Steal(t, q.Name(), sent[0])
	check.Equal(t, "reads of the other", check.Receive(t, reads), 1)
}

// The network was away for longer than the VT.
func TestAnOutageThatCostsALeaseCountsNoRead(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[order](t)
	pool, proxy := check.Proxied(t, func(*pgxpool.Config) {})
	q := check.Open[order](t, pool, direct.Name())
	check.Send(t, direct, order{})
	began, reads := make(chan struct{}, 1), make(chan int, 1)
	first := true
	c := check.Consume(t, q, func(ctx context.Context, m *queue.Message[order]) error {
		if !first {
			reads <- m.Reads
			return nil
		}
		first = false
		began <- struct{}{}
		<-ctx.Done()
		return context.Cause(ctx)
	}, queue.VT(3*time.Second), queue.MaxReads(1), queue.Workers(1))
	check.Receive(t, began)
	proxy.Close()
	check.Eventually(t, "an outage", func() bool { return len(c.Of(queue.EventOutage)) == 1 })
	time.Sleep(3 * time.Second) // the lease is over
	check.OK(t, proxy.Open())
	check.Equal(t, "reads", check.Receive(t, reads), 1)
	check.EndAll(t, c)
}

// With HandlerTimeout the user limits a message's time, so the read counts.
func TestAHandlerTimeoutCounts(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[order](t)
	check.Send(t, q, order{})
	check.Consume(t, q, func(ctx context.Context, _ *queue.Message[order]) error {
		<-ctx.Done()
		return ctx.Err()
	}, queue.HandlerTimeout(50*time.Millisecond), queue.MaxReads(2), atOnce)
	check.Equal(t, "reason", archivedDeath(t, q.Name()).Reason, queue.ReasonMaxReads)
}

func TestAFailureWithinItsHandlerTimeoutCounts(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[order](t)
	check.Send(t, q, order{})
	check.Consume(t, q, func(context.Context, *queue.Message[order]) error {
		return errors.New("it failed")
	}, queue.HandlerTimeout(time.Hour), queue.MaxReads(2), atOnce)
	check.Equal(t, "reason", archivedDeath(t, q.Name()).Reason, queue.ReasonMaxReads)
}
