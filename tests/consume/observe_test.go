package consume

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestAnObserverIsToldWhatHappens(t *testing.T) {
	check.Parallel(t)
	plain := pgtest.Queue[check.Order](t)
	var sends check.Seen
	c := check.Consume(t, plain, func(_ context.Context, m *queue.Message[check.Order]) error {
		time.Sleep(20 * time.Millisecond)
		if m.Reads == 1 && m.Body.ID == 2 {
			return queue.RetryIn(100*time.Millisecond, check.ErrWork)
		}
		return nil
	})
	q, err := queue.New[check.Order](pgtest.Pool(), plain.Name(), queue.Observe(sends.Observe))
	check.OK(t, err)
	first := check.Send(t, q, check.Order{ID: 1}, queue.Delay(100*time.Millisecond))
	batch := check.SendBatch(t, q, []check.Order{{ID: 2}, {ID: 3}})
	check.Eventually(t, "all are settled", func() bool { return len(c.Of(queue.EventSettled)) == 3 })

	sent := sends.Of(queue.EventSent)
	check.Equal(t, "the first send", sent[0], queue.Event{Kind: queue.EventSent, Queue: q.Name(), ID: first, Count: 1})
	check.Equal(t, "the second", sent[1], queue.Event{Kind: queue.EventSent, Queue: q.Name(), ID: batch[0], Count: 2})
	check.Equal(t, "deliveries", len(c.Of(queue.EventDelivered)), 4)
	for _, e := range c.Of(queue.EventDelivered) {
		if e.ID == first && (e.Wait < 100*time.Millisecond || e.Wait > 2*check.Patience) {
			t.Errorf("the delayed one waited for %v", e.Wait)
		}
	}
	retried := c.Of(queue.EventRetried)
	check.Equal(t, "retries", len(retried), 1)
	check.Equal(t, "retried in", retried[0].RetryIn, 100*time.Millisecond)
	check.Is(t, retried[0].Err, check.ErrWork)
	for _, e := range c.Of(queue.EventSettled) {
		if e.Took < 20*time.Millisecond || e.Reads < 1 || e.Queue != q.Name() {
			t.Errorf("settled: %+v", e)
		}
	}
}

func TestTheLogNamesWhatAnOperatorShouldKnowAndNoBody(t *testing.T) {
	check.Parallel(t)
	var out check.Buffer
	q := pgtest.Queue[check.Order](t)
	logged, err := queue.New[check.Order](pgtest.Pool(), q.Name(),
		queue.Observe(queue.LogObserver(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))))
	check.OK(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- logged.Consume(ctx, func(_ context.Context, m *queue.Message[check.Order]) error {
			if m.Reads == 1 {
				return fmt.Errorf("first: %w", check.ErrWork)
			}
			return queue.DeadLetter(check.ErrWork)
		}, atOnce)
	}()
	_, err = logged.Send(ctx, check.Order{ID: 1, Customer: "top secret"})
	check.OK(t, err)
	archived(t, q.Name())
	check.Eventually(t, "the death is logged", func() bool { return strings.Contains(out.String(), "dead-lettered") })
	cancel()
	check.OK(t, check.Receive(t, done))
	for _, want := range []string{
		`level=DEBUG msg="pgmq: sent" queue=` + q.Name() + ` id=1`,
		`level=DEBUG msg="pgmq: delivered" queue=` + q.Name() + ` id=1 reads=1 wait=`,
		`level=INFO msg="pgmq: retried" queue=` + q.Name() + ` id=1 reads=1 took=`,
		`error="first: the printer is out of paper"`,
		`level=WARN msg="pgmq: dead-lettered" queue=` + q.Name() + ` id=1 reads=2 took=`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the log has a body:\n%s", &out)
	}
}

func TestATimeoutEndsTheHandlersContext(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	c := check.Consume(t, q, func(ctx context.Context, m *queue.Message[check.Order]) error {
		if m.Reads > 1 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(check.Patience):
			return check.ErrWork
		}
	}, queue.HandlerTimeout(10*time.Millisecond), queue.Backoff(func(int) time.Duration { return 0 }))
	check.Eventually(t, "it is done", func() bool { return len(c.Of(queue.EventSettled)) == 1 })
	retried := c.Of(queue.EventRetried)
	check.Equal(t, "retries", len(retried), 1)
	check.Is(t, retried[0].Err, context.DeadlineExceeded)
}
