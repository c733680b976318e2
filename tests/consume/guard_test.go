package consume

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// brokenLog is a log whose handler panics.
type brokenLog struct{ slog.Handler }

func (brokenLog) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenLog) Handle(context.Context, slog.Record) error { panic("the disk is full") }

func TestAnObserverThatFailsCostsNothing(t *testing.T) {
	check.Parallel(t)
	for name, observer := range map[string]queue.Observer{
		"a panic": func(context.Context, queue.Event) { panic("no such label") },
		"a log":   queue.LogObserver(slog.New(brokenLog{})),
		"goexit":  func(context.Context, queue.Event) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[order](t)
			check.SendBatch(t, q, check.Numbered(20))
			var done atomic.Int64
			c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
				return q.Consume(ctx, func(_ context.Context, m *queue.Message[order]) error {
					if m.Body.ID == 7 {
						return queue.DeadLetter(check.ErrWork)
					}
					if m.Reads == 1 && m.Body.ID == 8 {
						return check.ErrWork
					}
					done.Add(1)
					return nil
				}, observe, queue.Observe(observer), atOnce, queue.VT(3*time.Second))
			})
			// With Goexit in an observer, a delivery fails before its handler has begun.
			check.Eventually(t, "the queue is empty", func() bool {
				if name == "goexit" {
					return len(c.Of(queue.EventDelivered)) > 20
				}
				return check.Length(t, q) == 0
			})
			check.OK(t, c.End())
			if name == "goexit" {
				check.Equal(t, "still there", check.Length(t, q), 20)
				return
			}
			check.Equal(t, "done", done.Load(), 19)
			p := check.As[*queue.PanicError](t, c.Of(queue.EventPanicked)[0].Err)
			check.Contains(t, p.Error(), "an Observer panicked")
		})
	}
}

func TestABackoffThatFailsFallsBackToTheDefault(t *testing.T) {
	check.Parallel(t)
	for name, backoff := range map[string]queue.Backoff{
		"a panic": func(reads int) time.Duration { return []time.Duration{0}[reads] },
		"goexit":  func(int) time.Duration { runtime.Goexit(); return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[order](t)
			check.Send(t, q, order{})
			c := check.Consume(t, q, func(_ context.Context, m *queue.Message[order]) error {
				if m.Reads == 1 {
					return check.ErrWork
				}
				return nil
			}, backoff)
			check.Eventually(t, "it is done", func() bool { return check.Length(t, q) == 0 })
			check.Equal(t, "told", len(c.Of(queue.EventPanicked)), 1)
			check.OK(t, c.End())
		})
	}
}

// refusing panics when it is decoded.
type refusing struct{}

func (*refusing) UnmarshalJSON([]byte) error { panic("not this one") }

func TestABodyWhoseDecodingPanicsIsADeadLetter(t *testing.T) {
	check.Parallel(t)
	raw := pgtest.Queue[json.RawMessage](t)
	q := check.Open[refusing](t, pgtest.Pool(), raw.Name())
	check.Send(t, raw, json.RawMessage(`{}`))
	_, err := q.Read(t.Context(), 1, queue.VT(time.Millisecond))
	check.Equal(t, "decode errors of Read", len(queue.DecodeErrors(err)), 1)
	check.Consume(t, q, func(context.Context, *queue.Message[refusing]) error { return nil })
	check.Equal(t, "reason", archivedDeath(t, raw.Name()).Reason, queue.ReasonUndecodable)
}

// nilError is a nil pointer in an error, whose methods fail.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestAnErrorWhoseMethodsPanicIsAFailure(t *testing.T) {
	check.Parallel(t)
	var none *nilError
	for name, consume := range map[string]func(context.Context, *queue.Queue[order]) error{
		"one": func(ctx context.Context, q *queue.Queue[order]) error {
			return q.Consume(ctx, func(context.Context, *queue.Message[order]) error { return none }, queue.MaxReads(1))
		},
		"in Failures": func(ctx context.Context, q *queue.Queue[order]) error {
			return q.ConsumeBatch(ctx, func(context.Context, []*queue.Message[order]) error { return queue.Failures{1: none} }, queue.MaxReads(1))
		},
		"in a dead letter": func(ctx context.Context, q *queue.Queue[order]) error {
			return q.Consume(ctx, func(context.Context, *queue.Message[order]) error { return queue.DeadLetter(none) }, queue.MaxReads(1))
		},
		"a panic with one": func(ctx context.Context, q *queue.Queue[order]) error {
			return q.Consume(ctx, func(context.Context, *queue.Message[order]) error { panic(none) }, queue.MaxReads(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[order](t)
			check.Send(t, q, order{})
			check.Background(t, func(ctx context.Context, _ queue.ConsumeOption) error { return consume(ctx, q) })
			check.Equal(t, "reason", archivedDeath(t, q.Name()).Reason, queue.ReasonMaxReads)
		})
	}
}

// t.FailNow in a handler ends its goroutine.
func TestEveryHandlerThatEndsItsGoroutineHasFailed(t *testing.T) {
	check.Parallel(t)
	for name, consume := range map[string]func(context.Context, *queue.Queue[order], func()) error{
		"a transaction": func(ctx context.Context, q *queue.Queue[order], fail func()) error {
			return q.ConsumeTx(ctx, func(context.Context, pgx.Tx, *queue.Message[order]) error { fail(); return nil }, queue.Workers(1), atOnce)
		},
		"a batch": func(ctx context.Context, q *queue.Queue[order], fail func()) error {
			return q.ConsumeBatch(ctx, func(context.Context, []*queue.Message[order]) error { fail(); return nil }, queue.Workers(1), atOnce)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[order](t)
			check.SendBatch(t, q, make([]order, 3))
			var calls atomic.Int64
			c := check.Background(t, func(ctx context.Context, _ queue.ConsumeOption) error {
				return consume(ctx, q, func() {
					if calls.Add(1) == 1 {
						runtime.Goexit()
					}
				})
			})
			check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
			check.OK(t, c.End())
		})
	}
}
