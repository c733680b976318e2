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

// dry takes all connections of a pool, and returns what gives them back.
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
	direct := pgtest.Queue[time.Duration](t)
	pool := check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = 2 })
	var begun, lost atomic.Int64
	c := check.Consume(t, check.Open[time.Duration](t, pool, direct.Name()), func(ctx context.Context, m *queue.Message[time.Duration]) error {
		begun.Add(1)
		select {
		case <-time.After(m.Body):
		case <-ctx.Done():
			lost.Add(1)
		}
		return context.Cause(ctx)
	}, queue.VT(time.Second), queue.Workers(4))
	// One ends while there is no connection to settle it on: that must not keep
	// the others from being extended.
	sent := check.SendBatch(t, direct, []time.Duration{500 * time.Millisecond, 4 * time.Second, 4 * time.Second})
	check.Eventually(t, "they are handled", func() bool { return begun.Load() == 3 })
	release := dry(t, pool)
	time.Sleep(3 * time.Second) // three VTs
	for _, id := range sent[1:] {
		if left := check.Value[float64](t, pgtest.Pool(), check.Tables(direct.Name(), `SELECT extract(epoch FROM vt - now())::float8 FROM {Q} WHERE msg_id = $1`), id); left <= 0 {
			t.Errorf("the lease of message %d ended %v s ago", id, -left)
		}
	}
	check.Equal(t, "leases lost", lost.Load(), 0)
	release()
	check.Send(t, direct, 0)
	check.Eventually(t, "the queue is empty", func() bool { return check.Length(t, direct) == 0 })
	// Once it has ended a delivery is not extended any more.
	if n := begun.Load(); n > 5 {
		t.Errorf("%d deliveries of 4 messages", n)
	}
	check.Equal(t, "leases lost", lost.Load(), 0)
	check.EndAll(t, c)
}

// A look that had to wait for a connection says nothing of what looks cost.
func TestAfterADryPoolAnIdleConsumerIsWokenAtOnceAgain(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[time.Time](t)
	pool := check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = 1 })
	handled := make(chan time.Duration, 1)
	check.Consume(t, check.Open[time.Time](t, pool, direct.Name()), func(_ context.Context, m *queue.Message[time.Time]) error {
		handled <- time.Since(m.Body)
		return nil
	})
	check.Send(t, direct, time.Now())
	<-handled
	time.Sleep(200 * time.Millisecond) // it is idle
	release := dry(t, pool)
	check.Exec(t, pgtest.Pool(), `SELECT pg_notify('pgmq.wake', $1)`, "q_"+direct.Name()) // it looks, and there is nothing
	time.Sleep(2 * time.Second)
	release()
	time.Sleep(300 * time.Millisecond)
	check.Send(t, direct, time.Now())
	if took := <-handled; took > 1500*time.Millisecond {
		t.Errorf("a message waited for %v", took)
	}
}
