package consume

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// dry takes all connections of a pool, and returns a function that gives them back.
func dry(t testing.TB, pool *pgxpool.Pool) (release func()) {
	t.Helper()
	var held []*pgxpool.Conn
	for range pool.Config().MaxConns {
		conn, err := pool.Acquire(t.Context())
		check.OK(t, err)
		held = append(held, conn)
	}
	release = func() {
		for _, conn := range held {
			conn.Release()
		}
		held = nil
	}
	t.Cleanup(release)
	return release
}

func TestLeasesAreExtendedWhileThePoolIsDry(t *testing.T) {
	check.Parallel(t)
	const vt, soon, late = 3 * time.Second, 0, 1
	direct := pgtest.Queue[int](t)
	pool := check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = 2 })
	var begun, lost atomic.Int64
	ends := []chan struct{}{make(chan struct{}), make(chan struct{})}
	c := check.Consume(t, check.Open[int](t, pool, direct.Name()), func(ctx context.Context, m *queue.Message[int]) error {
		begun.Add(1)
		select {
		case <-ends[m.Body]:
		case <-ctx.Done():
			lost.Add(1)
		}
		return context.Cause(ctx)
	}, queue.VT(vt), queue.Workers(4))
	// One ends while there is no connection to settle it on: that must not keep
	// the others from being extended.
	check.SendBatch(t, direct, []int{soon, late, late})
	check.Eventually(t, "they are handled", func() bool { return begun.Load() == 3 })
	release := dry(t, pool)
	close(ends[soon])
	began := check.ServerTime(t)
	check.Eventually(t, "their leases go on, over three VTs", func() bool {
		return check.Value[int](t, pgtest.Pool(), check.Tables(direct.Name(), `SELECT count(*)::int FROM {Q} WHERE vt > $1 AND message = '1'`), began.Add(3*vt)) == 2
	})
	check.Equal(t, "leases lost", lost.Load(), 0)
	release()
	close(ends[late])
	check.Send(t, direct, soon)
	check.Eventually(t, "the queue is empty", func() bool { return check.Length(t, direct) == 0 })
	// Once it has ended a delivery is not extended any more.
	if n := begun.Load(); n > 5 {
		t.Errorf("%d deliveries of 4 messages", n)
	}
	check.Equal(t, "leases lost", lost.Load(), 0)
	check.EndAll(t, c)
}

// A look that had to wait for a connection says nothing about the cost of looks.
func TestAfterADryPoolAnIdleConsumerIsWokenAtOnceAgain(t *testing.T) {
	check.Long(t)
	direct := pgtest.Queue[check.Order](t)
	var statements check.Tracer
	pool := check.NewPool(t, func(c *pgxpool.Config) {
		c.MaxConns = 1
		c.ConnConfig.Tracer = &statements
	})
	handled := make(chan struct{}, 1)
	check.Consume(t, check.Open[check.Order](t, pool, direct.Name()), func(context.Context, *queue.Message[check.Order]) error {
		handled <- struct{}{}
		return nil
	})
	check.Send(t, direct, check.Order{})
	check.Receive(t, handled)
	check.Repeatedly(t, 10, "a wake-up", func() { // without one it would be up to 15 s
		statements.Rest(t) // it is idle
		release := dry(t, pool)
		check.Exec(t, pgtest.Pool(), `SELECT pg_notify('pgmq.wake', $1)`, "q_"+direct.Name()) // it looks, and there is nothing
		time.Sleep(time.Second)                                                               // that a look has to wait
		release()
		statements.Rest(t)
		check.Send(t, direct, check.Order{})
		check.Receive(t, handled)
	})
}
