package tests

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestBatchesAreSettledMessageByMessage(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '"no order"')`))
	sent := sendBatch(t, q, make([]Order, 99))
	var mu sync.Mutex
	var sizes []int
	c := background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeBatch(ctx, func(_ context.Context, msgs []*queue.Message[Order]) error {
			mu.Lock()
			defer mu.Unlock()
			sizes = append(sizes, len(msgs))
			failed := queue.Failures{}
			for _, m := range msgs {
				if m.ID%10 == 0 && m.Reads == 1 {
					failed[m.ID] = errWork
				}
				if m.ID == sent[98] {
					failed[m.ID] = queue.DeadLetter(errWork)
				}
			}
			return failed
		}, queue.Batch{N: 50}, queue.Workers(1), queue.DeadLetterTo(dead.Name()), atOnce)
	})
	eventually(t, "all are done", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	equal(t, "sizes", fmt.Sprint(sizes[:2]), "[49 50]") // one does not decode
	equal(t, "retried", len(c.of(queue.Retried)), 9)
	equal(t, "settled", len(c.of(queue.Settled)), 98)
	equal(t, "dead letters", length(t, dead), 2)
}

func TestABatchHandlerThatFailsGetsAllItsMessagesBack(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sendBatch(t, q, make([]Order, 10))
	calls := 0
	c := background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeBatch(ctx, func(context.Context, []*queue.Message[Order]) error {
			if calls++; calls == 1 {
				panic(errWork)
			}
			return nil
		}, queue.Workers(1), atOnce)
	})
	eventually(t, "all are done", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	retried := c.of(queue.Retried)
	equal(t, "retried", len(retried), 10)
	if !errors.Is(retried[0].Err, errWork) {
		t.Error(retried[0].Err)
	}
}

func TestABatchWaitsForMore(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	got := make(chan int, 10)
	background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeBatch(ctx, func(_ context.Context, msgs []*queue.Message[Order]) error {
			got <- len(msgs)
			return nil
		}, queue.Batch{N: 5, Wait: 2 * time.Second})
	})
	start := time.Now()
	for range 5 {
		send(t, q, Order{})
		time.Sleep(20 * time.Millisecond)
	}
	equal(t, "a full batch", <-got, 5)
	if took := time.Since(start); took > time.Second {
		t.Errorf("a full batch waited for %v", took)
	}
	start = time.Now()
	send(t, q, Order{})
	send(t, q, Order{})
	equal(t, "a batch that is not", <-got, 2)
	if took := time.Since(start); took < 1500*time.Millisecond || took > 4*time.Second {
		t.Errorf("a batch waited for %v", took)
	}
}
