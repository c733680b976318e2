package consume

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestAHandlerThatOutlivesItsVTKeepsItsMessage(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	var deliveries atomic.Int64
	handle := func(ctx context.Context, _ *queue.Message[check.Order]) error {
		deliveries.Add(1)
		select {
		case <-time.After(7 * time.Second):
		case <-ctx.Done():
			t.Error(context.Cause(ctx))
		}
		return nil
	}
	vt := queue.VT(3 * time.Second)
	check.Consume(t, q, handle, vt)
	check.Consume(t, q, handle, vt)
	check.Eventually(t, "it is done", func() bool { return check.Length(t, q) == 0 })
	check.Equal(t, "deliveries", deliveries.Load(), 1)
}

func TestALostLeaseEndsTheHandlersContextAndNothingIsRecorded(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	id := check.Send(t, q, check.Order{})
	began := make(chan struct{})
	c := check.Consume(t, q, func(ctx context.Context, _ *queue.Message[check.Order]) error {
		close(began)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), queue.ErrLeaseLost) {
			t.Error(context.Cause(ctx))
		}
		return nil // as if it were done
	}, queue.VT(6*time.Second))
	check.Receive(t, began)
	check.Steal(t, q.Name(), id)
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	check.Is(t, c.Of(queue.EventLeaseLost)[0].Err, queue.ErrLeaseLost)
	// It is noticed with the next extension, and not when the lease would have ended.
	check.Contains(t, c.Of(queue.EventLeaseLost)[0].Err.Error(), "another has the message")
	check.Equal(t, "messages", check.Length(t, q), 1)
	check.Equal(t, "settled", len(c.Of(queue.EventSettled)), 0)
}

func TestAResultThatComesTooLateIsNotRecorded(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	var late atomic.Int64
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		if m.Reads == 1 && m.Body.ID == 1 {
			check.Steal(t, q.Name(), m.ID)
			late.Add(1)
		}
		return nil
	})
	bodies := make([]check.Order, 100)
	bodies[50].ID = 1
	sent := check.SendBatch(t, q, bodies)
	check.Eventually(t, "the others are settled", func() bool { return len(c.Of(queue.EventSettled)) == 99 })
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	check.Equal(t, "the one that was too late", c.Of(queue.EventLeaseLost)[0].ID, sent[50])
	check.Equal(t, "messages", check.Length(t, q), 1)
}

func TestMaxLeaseEndsALeaseThatIsKept(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	start := time.Now()
	const most = 5 * time.Second
	var first time.Duration
	done := make(chan struct{})
	check.Consume(t, q, func(ctx context.Context, m *queue.Message[check.Order]) error {
		if m.Reads == 2 {
			close(done)
			return nil
		}
		<-ctx.Done()
		first = time.Since(start)
		if !errors.Is(context.Cause(ctx), queue.ErrLeaseLost) {
			t.Error(context.Cause(ctx))
		}
		return nil // too late: nobody else has the message yet, but that is luck
	}, queue.VT(3*time.Second), queue.MaxLease(most))
	check.Receive(t, done)
	// The last extension is at most a third of a VT before, and the lease ends a
	// moment before the VT does.
	if first < most-time.Second {
		t.Errorf("the lease ended after %v", first)
	}
}

// A consumer does not keep messages from others while a slow handler delays them.
func TestMessagesThatWaitForASlowHandlerAreGivenBack(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	bodies := make([]check.Order, 2000)
	for i := 400; i < len(bodies); i++ {
		bodies[i].ID = 1 // slow
	}
	check.SendBatch(t, q, bodies)
	release := make(chan struct{})
	var slow atomic.Int64
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		if m.Body.ID == 1 {
			slow.Add(1)
			check.Hold(release)
		}
		return nil
	}, queue.Workers(4), queue.VT(6*time.Second))
	defer close(release)
	check.Eventually(t, "the slow ones have begun", func() bool { return slow.Load() == 4 })
	check.Eventually(t, "all others can be read", func() bool {
		stats, err := admin.Stats(t.Context(), pgtest.Pool(), q.Name())
		check.OK(t, err)
		return stats.Visible == 1596
	})
	for _, e := range c.Of(queue.EventReturned) {
		check.Equal(t, "reads of a message that had no handler", e.Reads, 0)
	}
}
