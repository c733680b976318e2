package faults

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

func eight(c *pgxpool.Config) { c.MaxConns = 8 }

func TestCutConnectionsLoseNothingAndWorkGoesOn(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[int64](t)
	pool, p := check.Proxied(t, eight)
	q := check.Open[int64](t, pool, direct.Name())
	l := check.SendLoad(t, q, 8, 10*time.Millisecond)
	c := check.Consume(t, q, l.Handle, queue.Workers(16), queue.VT(3*time.Second))
	for range 3 {
		l.Resumed(t)
		time.Sleep(300 * time.Millisecond) // of load
		p.Close()
		notices(t, c)
		check.OK(t, p.Open())
		t.Logf("work went on %v after the network did", l.Resumed(t))
	}
	l.Settled(t, pgtest.Pool(), direct.Name())
	check.EndAll(t, c)
	outages(t, 1, 6, c)
}

func TestASilentNetworkLosesNothingAndWorkGoesOn(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[int64](t)
	pool, p := check.Proxied(t, eight)
	l := check.SendLoad(t, direct, 8, 10*time.Millisecond)
	consumers := []*check.Consuming{
		check.Consume(t, check.Open[int64](t, pool, direct.Name()), l.Handle, queue.Workers(16), queue.VT(3*time.Second)),
		check.Consume(t, direct, l.Handle, queue.Workers(2), queue.VT(3*time.Second)),
	}
	l.Resumed(t)
	time.Sleep(300 * time.Millisecond) // of load
	p.Silence()
	time.Sleep(4 * time.Second) // of silence
	p.Speak()
	settled := func() int { return len(consumers[0].Of(queue.EventSettled)) }
	before, began := settled(), time.Now()
	check.Eventually(t, "the consumer behind the network works again", func() bool { return settled() > before })
	t.Logf("work went on %v after the network did", time.Since(began))
	l.Settled(t, pgtest.Pool(), direct.Name())
	check.EndAll(t, consumers...)
}

func TestAHandlerIsToldBeforeAnotherGetsItsMessage(t *testing.T) {
	check.Long(t)
	const vt, n, hold, leave = 6 * time.Second, 3, 1, 2
	direct := pgtest.Queue[int64](t)
	pool, p := check.Proxied(t, eight)
	var begun, told, early atomic.Int64
	causes, silent := make(chan error, n), make(chan struct{})
	c := check.Consume(t, check.Open[int64](t, pool, direct.Name()), func(ctx context.Context, m *queue.Message[int64]) error {
		begun.Add(1)
		if m.Body == leave {
			check.Hold(silent)
			return nil
		}
		<-ctx.Done()
		told.Add(1)
		causes <- context.Cause(ctx)
		return context.Cause(ctx)
	}, queue.VT(vt), queue.Workers(8))
	check.SendBatch(t, direct, []int64{hold, hold, hold, leave})
	check.Eventually(t, "the handlers run", func() bool { return begun.Load() == n+1 })
	since := check.ServerTime(t)
	check.Eventually(t, "the leases go on", func() bool {
		return check.Value[int](t, pgtest.Pool(), check.Tables(direct.Name(), `SELECT count(*)::int FROM {Q} WHERE vt > $1`), since.Add(vt+vt/2)) == n+1
	})
	check.Equal(t, "leases lost", told.Load(), 0)

	p.Silence()
	t.Cleanup(p.Speak)
	began := time.Now()
	close(silent) // handlers that end now cannot be settled, and must not keep the others from being told
	again := make(chan time.Duration, n+1)
	other := check.Consume(t, direct, func(_ context.Context, m *queue.Message[int64]) error {
		if m.Body == hold && told.Load() < n {
			early.Add(1)
		}
		again <- time.Since(began)
		return nil
	}, queue.VT(vt), queue.Workers(1))
	for range n + 1 {
		t.Logf("handled by another %v after the network fell silent", check.Receive(t, again))
	}
	check.Equal(t, "messages that another got before their handler was told", early.Load(), 0)
	for range n {
		check.Is(t, check.Receive(t, causes), queue.ErrLeaseLost)
	}
	check.EndAll(t, other)
	p.Speak()
	check.Equal(t, "messages", check.Length(t, direct), 0)
	check.EndAll(t, c)
	check.Equal(t, "leases that it told were lost", len(c.Of(queue.EventLeaseLost)), n+1)
}
