package sql

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A queue has a backlog, and as much comes in as goes out. Then it is drained.
func TestStorageStaysSmall(t *testing.T) {
	check.Slow(t) // it has a pace
	const backlog, half = 200_000, 20_000
	server, pool := check.LocalServer(t, "fsync=off", "autovacuum_naptime=1s")
	pgtest.Migrate(t, pool)
	check.OK(t, admin.Create(t.Context(), pool, "orders"))
	q := check.Open[int](t, check.PoolOf(t, server.URL, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["lock_timeout"] = "500ms" // a statement that has to wait for longer fails
	}), "orders")
	for range 10 {
		check.SendBatch(t, q, make([]int, backlog/10))
	}
	check.Exec(t, pool, `VACUUM (ANALYZE) pgmq.q_orders`)
	filled := pages(t, pool)

	var draining atomic.Bool
	var handled atomic.Int64
	c := check.Consume(t, q, func(ctx context.Context, _ *queue.Message[int]) error {
		handled.Add(1)
		if draining.Load() {
			return nil
		}
		time.Sleep(3 * time.Millisecond)
		_, err := q.Send(ctx, 0)
		return err
	}, queue.Workers(16))
	passed := func(n int64) func() bool { return func() bool { return handled.Load() >= n } }
	check.Eventually(t, "the first half has passed", passed(half))
	middle := pages(t, pool)
	check.Eventually(t, "the second half has passed", passed(2*half))
	end := pages(t, pool)
	room := filled * 2 * half / backlog
	t.Logf("%d pages, %d in the middle and %d at the end; what has passed would take %d", filled, middle, end, room)
	if end-middle > room/4 || end-filled > room*2/3 {
		t.Errorf("a queue no longer than before grew from %d pages to %d, then to %d", filled, middle, end)
	}

	// It gives the room back, and no session waits for that.
	draining.Store(true)
	check.Eventually(t, "a drained queue is small again", func() bool {
		check.Send(t, q, 0)
		return passed(2*half+backlog)() && pages(t, pool) < filled/10
	})
	// Its indexes shrink only by REINDEX.
	indexes := func() int64 { return check.Value[int64](t, pool, `SELECT pg_indexes_size('pgmq.q_orders')`) }
	before := indexes()
	check.Exec(t, pool, `REINDEX TABLE CONCURRENTLY pgmq.q_orders`)
	if after := indexes(); after > before/10 {
		t.Errorf("indexes of %d bytes are rebuilt with %d", before, after)
	}
	check.OK(t, c.End())
	check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
}

// pages are those of the queue's table.
func pages(t testing.TB, pool *pgxpool.Pool) int64 {
	t.Helper()
	return check.Value[int64](t, pool, `SELECT pg_relation_size('pgmq.q_orders') / current_setting('block_size')::int`)
}
