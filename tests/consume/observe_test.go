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
	c := check.Consume(t, plain, func(_ context.Context, m *queue.Message[check.Order]) error {
		time.Sleep(20 * time.Millisecond)
		if m.Reads == 1 && m.Body.ID == 2 {
			return queue.RetryIn(100*time.Millisecond, check.ErrWork)
		}
		return nil
	})
	q := plain.Observe(c.Observe)
	first := check.Send(t, q, check.Order{ID: 1}, queue.Delay(100*time.Millisecond))
	batch := check.SendBatch(t, q, []check.Order{{ID: 2}, {ID: 3}})
	check.Eventually(t, "all are settled", func() bool { return len(c.Of(queue.Settled)) == 3 })

	sent := c.Of(queue.Sent)
	check.Equal(t, "the first send", sent[0], queue.Event{Kind: queue.Sent, Queue: q.Name(), ID: first, Count: 1})
	check.Equal(t, "the second", sent[1], queue.Event{Kind: queue.Sent, Queue: q.Name(), ID: batch[0], Count: 2})
	check.Equal(t, "deliveries", len(c.Of(queue.Delivered)), 4)
	for _, e := range c.Of(queue.Delivered) {
		if e.ID == first && (e.Wait < 100*time.Millisecond || e.Wait > 2*check.Patience) {
			t.Errorf("the delayed one waited for %v", e.Wait)
		}
	}
	retried := c.Of(queue.Retried)
	check.Equal(t, "retries", len(retried), 1)
	check.Equal(t, "retried in", retried[0].RetryIn, 100*time.Millisecond)
	check.Is(t, retried[0].Err, check.ErrWork)
	for _, e := range c.Of(queue.Settled) {
		if e.Took < 20*time.Millisecond || e.Reads < 1 || e.Queue != q.Name() {
			t.Errorf("settled: %+v", e)
		}
	}
}

func TestTheLogNamesWhatAnOperatorShouldKnowAndNoBody(t *testing.T) {
	check.Parallel(t)
	var out check.Buffer
	q := pgtest.Queue[check.Order](t)
	logged := q.Observe(queue.Log(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
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
	_, err := logged.Send(ctx, check.Order{ID: 1, Customer: "top secret"})
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

func TestMiddlewareWrapsAHandlerFromTheOutside(t *testing.T) {
	check.Parallel(t)
	var order []string
	mark := func(name string) func(queue.Handler[check.Order]) queue.Handler[check.Order] {
		return func(next queue.Handler[check.Order]) queue.Handler[check.Order] {
			return func(ctx context.Context, m *queue.Message[check.Order]) error {
				order = append(order, name)
				return next(ctx, m)
			}
		}
	}
	handle := queue.Chain(func(ctx context.Context, _ *queue.Message[check.Order]) error {
		order = append(order, "handler")
		<-ctx.Done()
		return ctx.Err()
	}, mark("outer"), mark("inner"), queue.Timeout[check.Order](10*time.Millisecond))
	check.Is(t, handle(t.Context(), nil), context.DeadlineExceeded)
	check.Equal(t, "order", fmt.Sprint(order), "[outer inner handler]")
}
