package consume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestBatchesAreSettledMessageByMessage(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '"no order"')`))
	sent := check.SendBatch(t, q, make([]check.Order, 99))
	var mu sync.Mutex
	var sizes []int
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeBatch(ctx, func(_ context.Context, msgs []*queue.Message[check.Order]) error {
			mu.Lock()
			defer mu.Unlock()
			sizes = append(sizes, len(msgs))
			failed := queue.Failures{}
			for _, m := range msgs {
				if m.ID%10 == 0 && m.Reads == 1 {
					failed[m.ID] = check.ErrWork
				}
				if m.ID == sent[98] {
					failed[m.ID] = queue.DeadLetter(check.ErrWork)
				}
			}
			return failed
		}, queue.BatchSize(50), queue.Workers(1), queue.DeadLetterTo(dead.Name()), atOnce, observe)
	})
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "sizes", fmt.Sprint(sizes[:2]), "[49 50]") // one does not decode
	check.Equal(t, "retried", len(c.Of(queue.EventRetried)), 9)
	check.Equal(t, "settled", len(c.Of(queue.EventSettled)), 98)
	check.Equal(t, "dead letters", check.Length(t, dead), 2)
}

func TestABatchHandlerThatFailsGetsAllItsMessagesBack(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.SendBatch(t, q, make([]check.Order, 10))
	calls := 0
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeBatch(ctx, func(context.Context, []*queue.Message[check.Order]) error {
			if calls++; calls == 1 {
				panic(check.ErrWork)
			}
			return nil
		}, queue.Workers(1), atOnce, observe)
	})
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	retried := c.Of(queue.EventRetried)
	check.Equal(t, "retried", len(retried), 10)
	if !errors.Is(retried[0].Err, check.ErrWork) {
		t.Error(retried[0].Err)
	}
}

func TestABatchWaitsForMore(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	got := make(chan int, 10)
	waiting := func(wait time.Duration) *check.Consuming {
		return check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
			return q.ConsumeBatch(ctx, func(_ context.Context, msgs []*queue.Message[check.Order]) error {
				got <- len(msgs)
				return nil
			}, queue.BatchSize(5), queue.BatchWait(wait), queue.VT(time.Hour), observe)
		})
	}
	c := waiting(20 * time.Minute) // a full one does not wait
	for range 5 {
		check.Send(t, q, check.Order{})
	}
	check.Equal(t, "a full batch", check.Receive(t, got), 5)
	check.OK(t, c.End())

	const wait = 500 * time.Millisecond
	waiting(wait)
	start := time.Now()
	check.SendBatch(t, q, make([]check.Order, 2))
	check.Equal(t, "a batch that is not", check.Receive(t, got), 2)
	if took := time.Since(start); took < wait {
		t.Errorf("a batch waited for %v, and not for %v", took, wait)
	}
}
