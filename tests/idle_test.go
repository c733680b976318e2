package tests

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestTwoHundredIdleConsumersHoldOneConnectionAndAskLittle(t *testing.T) {
	// Not parallel: it counts statements over time.
	const queues, each, watch = 50, 4, 20 * time.Second
	var statements tracer
	ours := pgtest.Database(t)
	pgtest.Migrate(t, ours)
	pool := poolLike(t, ours, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.ConnConfig.Tracer = &statements // of the listening connection as well
		c.ConnConfig.RuntimeParams["application_name"] = "two hundred"
	})
	for i := range queues {
		name := fmt.Sprint("q", i)
		ok(t, queue.Create(t.Context(), ours, name))
		for range each {
			consume(t, open[task](t, pool, name), func(context.Context, *queue.Message[task]) error { return nil })
		}
	}
	eventually(t, "consumers wait on every queue", func() bool {
		return value[int](t, ours, `
			SELECT count(*)::int FROM pg_locks JOIN pg_database ON database = pg_database.oid AND datname = current_database()
			WHERE locktype = 'advisory'`) == queues
	})
	eventually(t, "no connection of the pool is used", func() bool { return pool.Stat().AcquiredConns() == 0 })

	before, used, end := statements.count(), 0, time.Now().Add(watch)
	samples := 0
	for ; time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		used += int(pool.Stat().AcquiredConns())
		samples++
	}
	perSecond := float64(statements.count()-before) / watch.Seconds()
	t.Logf("%d idle consumers: %.1f statements a second, and on average %.3f connections in use",
		queues*each, perSecond, float64(used)/float64(samples))
	if perSecond > 80 || perSecond == 0 { // some 20 on a quiet machine, 200 if each asked once a second
		t.Errorf("%.1f statements a second", perSecond)
	}
	if float64(used)/float64(samples) > 1.5 { // where others are at work each look takes longer
		t.Errorf("on average %.3f connections are in use", float64(used)/float64(samples))
	}
	eventually(t, "no connection of the pool is used", func() bool { return pool.Stat().AcquiredConns() == 0 })

	// Those beside the pool.
	beside := value[int](t, ours, `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'two hundred'`) - int(pool.Stat().TotalConns())
	equal(t, "connections beside the pool", beside, 1)
	equal(t, "connections with a lock", value[int](t, ours, `
		SELECT count(DISTINCT pid)::int FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'two hundred'`), 1)
}
