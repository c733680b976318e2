package tests

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
)

// leaves fails the test if do leaves goroutines of the library behind. They are
// known by a label that they inherit, whatever other tests do meanwhile.
func leaves(t *testing.T, do func()) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels("leaks", t.Name()), func(context.Context) { do() })
	var left []string
	// Those that have done all, up to their last instructions, may be there still.
	for end := time.Now().Add(100 * time.Millisecond); ; time.Sleep(time.Millisecond) {
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
	ok(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
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
	t.Parallel()
	quick := func(context.Context, *queue.Message[Order]) error { return nil }
	for _, way := range []struct {
		what string
		run  func(t *testing.T, pool *pgxpool.Pool, q *queue.Queue[Order])
	}{
		{"idle", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			c := consume(t, q, quick)
			idle(t, q)
			if len(goroutines(t)) == 0 {
				t.Error("this test sees no goroutine where there are some")
			}
			ok(t, c.end())
		}},
		{"at once", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			ok(t, consume(t, q, quick).end())
		}},
		{"under load", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			sendBatch(t, q, make([]Order, 5000))
			c := consume(t, q, quick)
			eventually(t, "some are settled", func() bool { return len(c.of(queue.Settled)) > 1000 })
			ok(t, c.end())
		}},
		{"while a handler runs", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			send(t, q, Order{})
			started, stop := make(chan bool), make(chan bool)
			c := consume(t, q, func(context.Context, *queue.Message[Order]) error {
				close(started)
				<-stop
				return nil
			})
			<-started
			time.AfterFunc(200*time.Millisecond, func() { close(stop) })
			ok(t, c.end())
			equal(t, "settled", len(c.of(queue.Settled)), 1)
		}},
		{"by Grace, as soon as the handler has ended", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			send(t, q, Order{})
			started, stop := make(chan bool), make(chan bool)
			c := consume(t, q, func(context.Context, *queue.Message[Order]) error {
				close(started)
				<-stop
				return nil
			}, queue.Grace(100*time.Millisecond))
			<-started
			is(t, c.end(), queue.ErrStopped)
			close(stop)
		}},
		{"no queue", func(t *testing.T, pool *pgxpool.Pool, _ *queue.Queue[Order]) {
			is(t, open[Order](t, pool, "no_such_queue").Consume(t.Context(), quick), queue.ErrNoQueue)
		}},
		{"the queue is dropped", func(t *testing.T, pool *pgxpool.Pool, q *queue.Queue[Order]) {
			c := consume(t, q, quick)
			idle(t, q)
			ok(t, queue.Drop(t.Context(), pool, q.Name()))
			exec(t, pool, `SELECT pg_notify('pgmq.wake', 'q_' || $1)`, q.Name())
			is(t, <-c.done, queue.ErrNoQueue)
			c.done <- nil
		}},
		{"no connection", func(t *testing.T, pool *pgxpool.Pool, q *queue.Queue[Order]) {
			none := poolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.Port = 1 })
			c := consume(t, open[Order](t, none, q.Name()), quick)
			eventually(t, "it told of the outage", func() bool { return len(c.of(queue.Outage)) == 1 })
			ok(t, c.end())
		}},
		{"Messages left by break", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			sendBatch(t, q, make([]Order, 5))
			for m, err := range q.Messages(t.Context()) {
				ok(t, err)
				ok(t, q.Delete(t.Context(), m))
				break
			}
			equal(t, "messages to read", len(read(t, q, 9)), 4)
		}},
		{"Messages left by panic", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			sendBatch(t, q, make([]Order, 5))
			func() {
				defer func() { _ = recover() }()
				for range q.Messages(t.Context()) {
					panic("the body of the loop is broken")
				}
			}()
			equal(t, "messages to read", len(read(t, q, 9)), 4)
		}},
		{"Messages after a while", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			for range q.Messages(t.Context(), queue.Wait(50*time.Millisecond)) {
				t.Error("a message")
			}
		}},
		{"several consumers", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			sendBatch(t, q, make([]Order, 1000))
			var all []*consuming
			for range 10 {
				all = append(all, consume(t, q, quick))
			}
			eventually(t, "all is done", func() bool { return length(t, q) == 0 })
			var wg sync.WaitGroup
			for _, c := range all {
				wg.Go(func() {
					if err := c.end(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}},
		{"Run, when one fails", func(t *testing.T, _ *pgxpool.Pool, q *queue.Queue[Order]) {
			failure := errors.New("failure")
			is(t, queue.Run(t.Context(),
				func(ctx context.Context) error { return q.Consume(ctx, quick) },
				func(ctx context.Context) error { return q.ConsumeBatch(ctx, nil) },
				func(context.Context) error { idle(t, q); return failure },
			), failure)
		}},
	} {
		t.Run(way.what, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, func(*pgxpool.Config) {})
			name := pgtest.Queue[Order](t).Name()
			leaves(t, func() { way.run(t, pool, open[Order](t, pool, name)) })
		})
	}
}

// idle waits until a consumer waits for a message of the queue.
func idle[T any](t testing.TB, q *queue.Queue[T]) {
	t.Helper()
	eventually(t, "a consumer is idle", func() bool {
		return value[bool](t, pgtest.Pool(), `
			SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'
				AND (classid::bigint << 32 | objid::bigint) = pgmq._subscription_lock_key('q_' || $1))`, q.Name())
	})
}
