package consume

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// sized returns a pool of so many connections.
func sized(t *testing.T, n int32) *pgxpool.Pool {
	return check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = n })
}

// Each handler of a transaction wants one connection more: they must not have all.
func TestConsumeTxLeavesConnectionsForItsHandlers(t *testing.T) {
	check.Parallel(t)
	for name, size := range map[string]int32{"two": 2, "four": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := []*queue.Queue[order]{pgtest.Queue[order](t), pgtest.Queue[order](t)}, pgtest.Queue[order](t)
			pool := sized(t, size)
			next := check.Open[order](t, pool, to.Name())
			var consumers []*check.Consuming
			for _, q := range from { // two consumers share the pool's connections
				check.SendBatch(t, q, check.Numbered(50))
				consumers = append(consumers, check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
					return check.Open[order](t, pool, q.Name()).ConsumeTx(ctx, func(ctx context.Context, _ pgx.Tx, m *queue.Message[order]) error {
						_, err := next.Send(ctx, m.Body)
						return err
					}, queue.Workers(8), observe)
				}))
			}
			check.Eventually(t, "all went on", func() bool { return check.Length(t, to) == 100 })
			for _, c := range consumers {
				check.Contains(t, c.Of(queue.EventPoolShort)[0].Err.Error(), "raise pool_max_conns")
			}
			check.EndAll(t, consumers...)
		})
	}
}

func TestConsumeTxFitsThePoolInSilenceWhereNobodyAskedForMore(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[order](t)
	check.SendBatch(t, q, check.Numbered(20))
	var at, most atomic.Int32
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return check.Open[order](t, sized(t, 4), q.Name()).ConsumeTx(ctx, func(context.Context, pgx.Tx, *queue.Message[order]) error {
			defer at.Add(-1)
			for n := at.Add(1); n > most.Load(); {
				most.Store(n)
			}
			return nil
		}, observe)
	})
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
	check.EndAll(t, c)
	if got := most.Load(); got > 2 {
		t.Errorf("%d handlers ran at once on 4 connections", got)
	}
	check.Equal(t, "reports", len(c.Of(queue.EventPoolShort)), 0)
}

func TestConsumeTxRefusesAPoolOfOne(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[order](t)
	one := check.Open[order](t, sized(t, 1), q.Name())
	err := one.ConsumeTx(t.Context(), func(context.Context, pgx.Tx, *queue.Message[order]) error { return nil })
	check.Is(t, err, queue.ErrInvalidOption)
	check.Contains(t, err.Error(), "pool_max_conns")

	// A handler without a transaction holds none.
	check.SendBatch(t, q, check.Numbered(20))
	c := check.Consume(t, one, func(ctx context.Context, _ *queue.Message[order]) error {
		_, err := one.Peek(ctx, 1)
		return err
	})
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
}

func TestALongWaitForThePoolIsReported(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[order](t)
	pool := sized(t, 2)
	c := check.Consume(t, check.Open[order](t, pool, direct.Name()), nothing)
	check.Send(t, direct, order{})
	check.Eventually(t, "it works", func() bool { return check.Length(t, direct) == 0 })
	release := dry(t, pool)
	check.Send(t, direct, order{}) // it is notified, and cannot read
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventPoolShort)) == 1 })
	release()
	check.Eventually(t, "it goes on", func() bool { return check.Length(t, direct) == 0 })
	check.EndAll(t, c)
}
