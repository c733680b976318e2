package consume

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/internal/worker"
)

func TestTwoHundredIdleConsumersHoldOneConnectionAndAskLittle(t *testing.T) {
	check.Slow(t) // it counts statements over time
	const queues, each, watch = 50, 4, 20 * time.Second
	var statements check.Tracer
	ours := check.OwnDatabase(t)
	pool := check.PoolLike(t, ours, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.ConnConfig.Tracer = &statements // of the listening connection as well
		c.ConnConfig.RuntimeParams["application_name"] = "two hundred"
	})
	for i := range queues {
		name := fmt.Sprint("q", i)
		check.OK(t, admin.Create(t.Context(), ours, name))
		for range each {
			check.Consume(t, check.Open[worker.Task](t, pool, name), func(context.Context, *queue.Message[worker.Task]) error { return nil })
		}
	}
	check.Eventually(t, "consumers wait on every queue", func() bool {
		return check.Value[int](t, ours, `
			SELECT count(*)::int FROM pg_locks JOIN pg_database ON database = pg_database.oid AND datname = current_database()
			WHERE locktype = 'advisory'`) == queues
	})
	check.Eventually(t, "no connection of the pool is used", func() bool { return pool.Stat().AcquiredConns() == 0 })

	before, used, end := statements.Count(), 0, time.Now().Add(watch)
	samples := 0
	for ; time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		used += int(pool.Stat().AcquiredConns())
		samples++
	}
	perSecond := float64(statements.Count()-before) / watch.Seconds()
	t.Logf("%d idle consumers: %.1f statements a second, and on average %.3f connections in use",
		queues*each, perSecond, float64(used)/float64(samples))
	if perSecond > 80 || perSecond == 0 { // some 20 on a quiet machine, 200 if each asked once a second
		t.Errorf("%.1f statements a second", perSecond)
	}
	if float64(used)/float64(samples) > 1.5 { // where others are at work each look takes longer
		t.Errorf("on average %.3f connections are in use", float64(used)/float64(samples))
	}
	check.Eventually(t, "no connection of the pool is used", func() bool { return pool.Stat().AcquiredConns() == 0 })

	// Those beside the pool.
	beside := check.Value[int](t, ours, `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'two hundred'`) - int(pool.Stat().TotalConns())
	check.Equal(t, "connections beside the pool", beside, 1)
	check.Equal(t, "connections with a lock", check.Value[int](t, ours, `
		SELECT count(DISTINCT pid)::int FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'two hundred'`), 1)
}
