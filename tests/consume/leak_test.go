package consume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// leaves fails the test if do leaves goroutines of the library behind. A label that they
// inherit tells them from those of other tests.
func leaves(t *testing.T, do func()) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels("leaks", t.Name()), func(context.Context) { do() })
	var left []string
	// Those that have done all, up to their last instructions, may be there still.
	for end := time.Now().Add(check.Patience); ; time.Sleep(time.Millisecond) {
		if left = goroutines(t); len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it left %d goroutines:\n%s", len(left), strings.Join(left, "\n"))
		}
	}
}

// goroutines returns the stacks in this module with the test's label.
func goroutines(t *testing.T) []string {
	t.Helper()
	var profile bytes.Buffer
	check.OK(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	var found []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, fmt.Sprintf("%q:%q", "leaks", t.Name())) &&
			(strings.Contains(stack, "pgmq/queue.") || strings.Contains(stack, "pgmq/generics.")) {
			found = append(found, stack)
		}
	}
	return found
}

func TestConsumeLeavesNoGoroutine(t *testing.T) {
	check.Parallel(t)
	quick := func(context.Context, *queue.Message[check.Order]) error { return nil }
	for _, way := range []struct {
		what string
		run  func(t *testing.T, pool *pgxpool.Pool, q *queue.Queue[check.Order])
	}{
		{"idle", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			c := check.Consume(t, q, quick)
			idle(t, q)
			if len(goroutines(t)) == 0 {
				t.Error("this test sees no goroutine where there are some")
			}
			check.OK(t, c.End())
		}},
		{"at once", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			check.OK(t, check.Consume(t, q, quick).End())
		}},
		{"under load", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			check.SendBatch(t, q, make([]check.Order, 5000))
			c := check.Consume(t, q, quick)
			check.Eventually(t, "some are settled", func() bool { return len(c.Of(queue.EventSettled)) > 1000 })
			check.OK(t, c.End())
		}},
		{"while a handler runs", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			check.Send(t, q, check.Order{})
			started, stop := make(chan bool), make(chan bool)
			c := check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error {
				close(started)
				check.Hold(stop)
				return nil
			})
			check.Receive(t, started)
			time.AfterFunc(200*time.Millisecond, func() { close(stop) })
			check.OK(t, c.End())
			check.Equal(t, "settled", len(c.Of(queue.EventSettled)), 1)
		}},
		{"by Grace, as soon as the handler has ended", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			check.Send(t, q, check.Order{})
			started, stop := make(chan bool), make(chan bool)
			c := check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error {
				close(started)
				check.Hold(stop)
				return nil
			}, queue.ShutdownGrace(100*time.Millisecond))
			check.Receive(t, started)
			check.Is(t, c.End(), queue.ErrGraceExpired)
			close(stop)
		}},
		{"no queue", func(t *testing.T, pool *pgxpool.Pool, _ *queue.Queue[check.Order]) {
			check.Is(t, check.Open[check.Order](t, pool, "no_such_queue").Consume(t.Context(), quick), queue.ErrNoQueue)
		}},
		{"the queue is dropped", func(t *testing.T, pool *pgxpool.Pool, q *queue.Queue[check.Order]) {
			c := check.Consume(t, q, quick)
			idle(t, q)
			check.OK(t, admin.Drop(t.Context(), pool, q.Name()))
			check.Exec(t, pool, `SELECT pg_notify('pgmq.wake', 'q_' || $1)`, q.Name())
			check.Is(t, c.Returned(), queue.ErrNoQueue)
		}},
		{"no connection", func(t *testing.T, pool *pgxpool.Pool, q *queue.Queue[check.Order]) {
			none := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.Port = 1 })
			c := check.Consume(t, check.Open[check.Order](t, none, q.Name()), quick)
			check.Eventually(t, "it told of the outage", func() bool { return len(c.Of(queue.EventOutage)) == 1 })
			check.OK(t, c.End())
		}},
		{"Messages left by break", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			check.SendBatch(t, q, make([]check.Order, 5))
			for m, err := range q.Messages(t.Context()) {
				check.OK(t, err)
				check.OK(t, q.Delete(t.Context(), m))
				break
			}
			check.Equal(t, "messages to read", len(check.Read(t, q, 9)), 4)
		}},
		{"Messages left by panic", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			check.SendBatch(t, q, make([]check.Order, 5))
			func() {
				defer func() { _ = recover() }()
				for range q.Messages(t.Context()) {
					panic("the body of the loop is broken")
				}
			}()
			check.Equal(t, "messages to read", len(check.Read(t, q, 9)), 4)
		}},
		{"Messages after a while", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			for range q.Messages(t.Context(), queue.WaitFor(50*time.Millisecond)) {
				t.Error("a message")
			}
		}},
		{"several consumers", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			check.SendBatch(t, q, make([]check.Order, 1000))
			var all []*check.Consuming
			for range 10 {
				all = append(all, check.Consume(t, q, quick))
			}
			check.Eventually(t, "all is done", func() bool { return check.Length(t, q) == 0 })
			var wg sync.WaitGroup
			for _, c := range all {
				wg.Go(func() {
					if err := c.End(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}},
		{"Run, when one fails", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[check.Order]) {
			failure := errors.New("failure")
			check.Is(t, queue.Run(t.Context(),
				func(ctx context.Context) error { return q.Consume(ctx, quick) },
				func(ctx context.Context) error { return q.ConsumeBatch(ctx, nil) },
				func(context.Context) error { idle(t, q); return failure },
			), failure)
		}},
	} {
		t.Run(way.what, func(t *testing.T) {
			t.Parallel()
			pool := check.NewPool(t, func(*pgxpool.Config) {})
			name := pgtest.Queue[check.Order](t).Name()
			leaves(t, func() { way.run(t, pool, check.Open[check.Order](t, pool, name)) })
		})
	}
}

// idle waits until a consumer waits for a message of the queue.
func idle[T any](t testing.TB, q *queue.Queue[T]) {
	t.Helper()
	check.Eventually(t, "a consumer is idle", func() bool {
		return check.Value[bool](t, pgtest.Pool(), `
			SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'
				AND (classid::bigint << 32 | objid::bigint) = pgmq._subscription_lock_key('q_' || $1))`, q.Name())
	})
}
