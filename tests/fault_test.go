package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
)

// privateServer is a server that a test may crash, with its disk taken seriously,
// and a pool of a migrated database there.
func privateServer(t testing.TB) (*postgres.Server, *pgxpool.Pool) {
	t.Helper()
	s, err := postgres.Local(t.Context(), "max_connections=200")
	if err != nil {
		t.Fatalf("this test crashes a server of its own; it needs Postgres' server binaries (Debian: apt-get install postgresql): %v", err)
	}
	t.Cleanup(func() { ok(t, s.Stop()) })
	pool := poolOf(t, s.URL, func(c *pgxpool.Config) { c.MaxConns = 16 })
	pgtest.Migrate(t, pool)
	return s, pool
}

// ownDatabase is a migrated database of the test's own.
func ownDatabase(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	return pool
}

// poolOf is a pool of the database at url.
func poolOf(t testing.TB, url string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	ok(t, err)
	change(config)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	ok(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// ownQueue makes a queue in a database that goes away with the test.
func ownQueue[T any](t testing.TB, pool *pgxpool.Pool, name string) *queue.Queue[T] {
	t.Helper()
	ok(t, queue.Create(t.Context(), pool, name))
	return open[T](t, pool, name)
}

// remains counts the messages of a queue on any pool, as soon as it answers.
func remains(t testing.TB, pool *pgxpool.Pool, name string) int64 {
	stats, err := queue.Stats(t.Context(), pool, name)
	if err != nil {
		return -1
	}
	return stats.Length
}

// load is senders and handlers, and what they saw.
type load struct {
	mu           sync.Mutex
	acknowledged map[int64]bool
	handled      map[int64]int
	handling     map[int64]bool
	together     []int64 // handled by two at once
	last         time.Time
	failures     int // sends without an answer

	stop    context.CancelFunc
	senders sync.WaitGroup
}

// sendLoad has n senders send at about the given pace each, until halt. Who gets
// no answer tries again.
func sendLoad(t testing.TB, q *queue.Queue[int64], n int, every time.Duration) *load {
	l := &load{acknowledged: map[int64]bool{}, handled: map[int64]int{}, handling: map[int64]bool{}}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	t.Cleanup(l.halt)
	for range n {
		l.senders.Go(func() {
			for ctx.Err() == nil {
				id, err := q.Send(ctx, 1)
				l.mu.Lock()
				if err == nil {
					l.acknowledged[id] = true
				} else {
					l.failures++
				}
				l.mu.Unlock()
				time.Sleep(rand.N(2 * every))
			}
		})
	}
	return l
}

func (l *load) halt() {
	l.stop()
	l.senders.Wait()
}

// handle is a handler that takes up to 10 ms, and heeds its ctx.
func (l *load) handle(ctx context.Context, m *queue.Message[int64]) error {
	l.mu.Lock()
	if l.handling[m.ID] {
		l.together = append(l.together, m.ID)
	}
	l.handling[m.ID] = true
	l.mu.Unlock()
	select {
	case <-time.After(rand.N(10 * time.Millisecond)):
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handling[m.ID] = false
	if ctx.Err() == nil {
		l.handled[m.ID]++
		l.last = time.Now()
	}
	return context.Cause(ctx)
}

// resumed waits for a message to be handled after now, and returns how long that took.
func (l *load) resumed(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	var last time.Time
	eventually(t, "work goes on", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		last = l.last
		return last.After(began)
	})
	return last.Sub(began)
}

// settled ends the senders, waits for the queue to be empty, and checks that
// nothing was lost.
func (l *load) settled(t testing.TB, pool *pgxpool.Pool, name string) {
	t.Helper()
	l.halt()
	eventually(t, "the queue is empty", func() bool { return remains(t, pool, name) == 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost []int64
	again := 0
	for id := range l.acknowledged {
		if l.handled[id] == 0 {
			lost = append(lost, id)
		}
		again += max(0, l.handled[id]-1)
	}
	t.Logf("%d messages acknowledged, %d sends failed, %d handled more than once", len(l.acknowledged), l.failures, again)
	if len(lost) > 0 || len(l.together) > 0 {
		t.Errorf("acknowledged and never handled: %v; handled by two at once: %v", lost, l.together)
	}
	if len(l.acknowledged) < 100 {
		t.Errorf("only %d messages: that was no load", len(l.acknowledged))
	}
}

// outages checks that each consumer told of at least one outage and of few, each
// followed by its end.
func outages(t testing.TB, least, most int, consumers ...*consuming) {
	t.Helper()
	for i, c := range consumers {
		var told []queue.EventKind
		var why error
		c.mu.Lock()
		for _, e := range c.events {
			if e.Kind == queue.Outage || e.Kind == queue.Recovered {
				told = append(told, e.Kind)
			}
			if e.Kind == queue.Outage {
				why = e.Err
			}
		}
		c.mu.Unlock()
		t.Logf("consumer %d told of %d outages, the last one: %v", i+1, len(told)/2, why)
		for j, kind := range told {
			if want := []queue.EventKind{queue.Outage, queue.Recovered}[j%2]; kind != want {
				t.Errorf("consumer %d: %v", i+1, told)
				break
			}
		}
		if len(told) < 2*least || len(told)%2 != 0 || len(told) > 2*most {
			t.Errorf("consumer %d told of outages %d times, and not of %d to %d and their ends", i+1, len(told), least, most)
		}
	}
}

// terminate ends every backend of a pool's database but the caller's own, and
// returns how many that were.
func terminate(t testing.TB, admin querier, where string, args ...any) int {
	t.Helper()
	return value[int](t, admin, `SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND `+where, args...)
}

// adminOf is a connection of a pool's database that is not the pool's.
func adminOf(t testing.TB, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), pool.Config().ConnConfig)
	ok(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// quiet ends consumers, which must not have ended by themselves, when their
// outages are over.
func quiet(t testing.TB, consumers ...*consuming) {
	t.Helper()
	for i, c := range consumers {
		select {
		case err := <-c.done:
			t.Fatalf("consumer %d ended by itself: %v", i+1, err)
		default:
		}
		eventually(t, "an outage is over", func() bool {
			return len(c.of(queue.Outage)) == len(c.of(queue.Recovered))
		})
		if err := c.end(); err != nil {
			t.Error(fmt.Errorf("consumer %d: %w", i+1, err))
		}
	}
}
