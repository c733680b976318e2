package tests

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestAnObserverIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	plain := pgtest.Queue[Order](t)
	c := consume(t, plain, func(_ context.Context, m *queue.Message[Order]) error {
		time.Sleep(20 * time.Millisecond)
		if m.Reads == 1 && m.Body.ID == 2 {
			return queue.RetryIn(100*time.Millisecond, errWork)
		}
		return nil
	})
	q := plain.Observe(c.observe)
	first := send(t, q, Order{ID: 1}, queue.Delay(100*time.Millisecond))
	batch := sendBatch(t, q, []Order{{ID: 2}, {ID: 3}})
	eventually(t, "all are settled", func() bool { return len(c.of(queue.Settled)) == 3 })

	sent := c.of(queue.Sent)
	equal(t, "the first send", sent[0], queue.Event{Kind: queue.Sent, Queue: q.Name(), ID: first, Count: 1})
	equal(t, "the second", sent[1], queue.Event{Kind: queue.Sent, Queue: q.Name(), ID: batch[0], Count: 2})
	equal(t, "deliveries", len(c.of(queue.Delivered)), 4)
	for _, e := range c.of(queue.Delivered) {
		if e.ID == first && (e.Wait < 100*time.Millisecond || e.Wait > 5*time.Second) {
			t.Errorf("the delayed one waited for %v", e.Wait)
		}
	}
	retried := c.of(queue.Retried)
	equal(t, "retries", len(retried), 1)
	equal(t, "retried in", retried[0].RetryIn, 100*time.Millisecond)
	is(t, retried[0].Err, errWork)
	for _, e := range c.of(queue.Settled) {
		if e.Took < 20*time.Millisecond || e.Reads < 1 || e.Queue != q.Name() {
			t.Errorf("settled: %+v", e)
		}
	}
}

func TestTheLogNamesWhatAnOperatorShouldKnowAndNoBody(t *testing.T) {
	t.Parallel()
	var out buffer
	q := pgtest.Queue[Order](t)
	logged := q.Observe(queue.Log(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- logged.Consume(ctx, func(_ context.Context, m *queue.Message[Order]) error {
			if m.Reads == 1 {
				return fmt.Errorf("first: %w", errWork)
			}
			return queue.DeadLetter(errWork)
		}, atOnce)
	}()
	_, err := logged.Send(ctx, Order{ID: 1, Customer: "top secret"})
	ok(t, err)
	archived(t, q.Name())
	eventually(t, "the death is logged", func() bool { return strings.Contains(out.String(), "dead-lettered") })
	cancel()
	ok(t, <-done)
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
	t.Parallel()
	var order []string
	mark := func(name string) func(queue.Handler[Order]) queue.Handler[Order] {
		return func(next queue.Handler[Order]) queue.Handler[Order] {
			return func(ctx context.Context, m *queue.Message[Order]) error {
				order = append(order, name)
				return next(ctx, m)
			}
		}
	}
	handle := queue.Chain(func(ctx context.Context, _ *queue.Message[Order]) error {
		order = append(order, "handler")
		<-ctx.Done()
		return ctx.Err()
	}, mark("outer"), mark("inner"), queue.Timeout[Order](10*time.Millisecond))
	is(t, handle(t.Context(), nil), context.DeadlineExceeded)
	equal(t, "order", fmt.Sprint(order), "[outer inner handler]")
}
