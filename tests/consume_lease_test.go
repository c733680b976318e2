package tests

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// steal takes a message from whoever holds it, as another reader would whose
// read came after the end of the lease.
func steal(t testing.TB, name string, id int64) {
	t.Helper()
	exec(t, pgtest.Pool(), tables(name, `UPDATE {Q} SET read_ct = read_ct + 1, last_read_at = now(), vt = now() + '1 h' WHERE msg_id = $1`), id)
}

func TestAHandlerThatOutlivesItsVTKeepsItsMessage(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{})
	var deliveries atomic.Int64
	handle := func(ctx context.Context, _ *queue.Message[Order]) error {
		deliveries.Add(1)
		select {
		case <-time.After(2500 * time.Millisecond):
		case <-ctx.Done():
			t.Error(context.Cause(ctx))
		}
		return nil
	}
	vt := queue.VT(500 * time.Millisecond)
	consume(t, q, handle, vt)
	consume(t, q, handle, vt)
	eventually(t, "it is done", func() bool { return length(t, q) == 0 })
	equal(t, "deliveries", deliveries.Load(), 1)
}

func TestALostLeaseEndsTheHandlersContextAndNothingIsRecorded(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	id := send(t, q, Order{})
	began := make(chan struct{})
	c := consume(t, q, func(ctx context.Context, _ *queue.Message[Order]) error {
		close(began)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), queue.ErrLeaseLost) {
			t.Error(context.Cause(ctx))
		}
		return nil // as if it were done
	}, queue.VT(6*time.Second))
	<-began
	steal(t, q.Name(), id)
	start := time.Now()
	eventually(t, "it is told", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("the loss was noticed after %v, not with the next extension", took)
	}
	is(t, c.of(queue.LeaseLost)[0].Err, queue.ErrLeaseLost)
	equal(t, "messages", length(t, q), 1)
	equal(t, "settled", len(c.of(queue.Settled)), 0)
}

func TestAResultThatComesTooLateIsNotRecorded(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	var late atomic.Int64
	c := consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		if m.Reads == 1 && m.Body.ID == 1 {
			steal(t, q.Name(), m.ID)
			late.Add(1)
		}
		return nil
	})
	bodies := make([]Order, 100)
	bodies[50].ID = 1
	sent := sendBatch(t, q, bodies)
	eventually(t, "the others are settled", func() bool { return len(c.of(queue.Settled)) == 99 })
	eventually(t, "it is told", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
	equal(t, "the one that was too late", c.of(queue.LeaseLost)[0].ID, sent[50])
	equal(t, "messages", length(t, q), 1)
}

func TestMaxLeaseEndsALeaseThatIsKept(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{})
	start := time.Now()
	var first, second time.Duration
	done := make(chan struct{})
	consume(t, q, func(ctx context.Context, m *queue.Message[Order]) error {
		if m.Reads == 2 {
			second = time.Since(start)
			close(done)
			return nil
		}
		<-ctx.Done()
		first = time.Since(start)
		if !errors.Is(context.Cause(ctx), queue.ErrLeaseLost) {
			t.Error(context.Cause(ctx))
		}
		return nil // too late: nobody else has the message yet, but that is luck
	}, queue.VT(600*time.Millisecond), queue.MaxLease(time.Second))
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the message did not come back")
	}
	// The last extension may have been just before.
	if first < 900*time.Millisecond || first > 2*time.Second || second > 3*time.Second {
		t.Errorf("the lease ended after %v, and the message came back after %v", first, second)
	}
}

// What a slow handler leaves no room for is not kept from others.
func TestMessagesThatWaitForASlowHandlerAreGivenBack(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	bodies := make([]Order, 2000)
	for i := 400; i < len(bodies); i++ {
		bodies[i].ID = 1 // slow
	}
	sendBatch(t, q, bodies)
	release := make(chan struct{})
	var slow atomic.Int64
	c := consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		if m.Body.ID == 1 {
			slow.Add(1)
			<-release
		}
		return nil
	}, queue.Workers(4), queue.VT(600*time.Millisecond))
	defer close(release)
	eventually(t, "the slow ones have begun", func() bool { return slow.Load() == 4 })
	eventually(t, "all others can be read", func() bool {
		stats, err := queue.Stats(t.Context(), pgtest.Pool(), q.Name())
		ok(t, err)
		return stats.Visible == 1596
	})
	for _, e := range c.of(queue.Returned) {
		equal(t, "reads of a message that had no handler", e.Reads, 0)
	}
}
