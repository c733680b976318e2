package admin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// manyQueues makes a queue with a message for each number, some in a transaction.
func manyQueues(t testing.TB, pool *pgxpool.Pool, n int) {
	t.Helper()
	check.Exec(t, pool, fmt.Sprintf(`DO $$ BEGIN
		FOR i IN 1..%d LOOP
			PERFORM pgmq.create('many_' || i), pgmq.send('many_' || i, '1');
			IF i %% 50 = 0 THEN COMMIT; END IF;
		END LOOP;
	END $$`, n))
}

// locksAfter looks at all queues in a transaction, by SQL and by Go, and returns how
// many locks on their relations it holds then.
func locksAfter(t testing.TB, pool *pgxpool.Pool, queues int) int {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	check.OK(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	check.Equal(t, "rows", check.Value[int](t, tx, `SELECT count(queue_length)::int FROM pgmq.metrics_all()`), queues)
	all, err := admin.Metrics(t.Context(), tx)
	check.OK(t, err)
	check.Equal(t, "metrics", len(all), queues)
	check.Exec(t, tx, `SELECT pgmq.create_fifo_indexes_all()`)
	return check.Value[int](t, tx, `
		SELECT count(*)::int FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
		WHERE l.pid = pg_backend_pid() AND c.relname ~ '^[qa]_many'`)
}

func TestALookAtAllQueuesKeepsNoLock(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	manyQueues(t, pool, 20)
	check.Equal(t, "locks", locksAfter(t, pool, 20), 0)
}

// The lock table of a server with default settings has room for 6,400 locks.
func TestFiveThousandQueues(t *testing.T) {
	check.Slow(t)
	server, pool := check.LocalServer(t, "max_connections=100", "max_locks_per_transaction=64")
	pgtest.Migrate(t, pool)
	manyQueues(t, pool, 5000)
	check.Equal(t, "locks", locksAfter(t, pool, 5000), 0)
	check.OK(t, admin.MaintainAll(t.Context(), pool))
	pgtest.Migrate(t, pool)
	q := check.Open[int](t, pool, "many_4999")
	check.Equal(t, "read", len(check.Read(t, q, 1)), 1)
	pgmq := check.Command(t)
	for _, verb := range []string{"stats", "doctor", "maintain"} {
		out, err := pgmq(verb, "--database-url", server.URL).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%.2000s", verb, err, out)
		}
		if verb == "doctor" {
			check.Contains(t, string(out), "5,000 queue(s)", "ok         messages")
		}
	}
}

// A defect of one queue harms no other one.
func TestAQueueThatCannotBeReadIsARowThatSaysSo(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), check.OwnDatabase(t)
	for _, name := range []string{"first", "gone", "last", "locked", "odd", "view", "wrong"} {
		check.OK(t, admin.Create(ctx, pool, name))
		check.Exec(t, pool, `SELECT pgmq.send($1, '1')`, name)
	}
	check.Exec(t, pool, `
		DROP TABLE pgmq.q_gone, pgmq.q_view; CREATE VIEW pgmq.q_view AS SELECT 1 / 0 AS vt, 1 AS read_ct, now() AS enqueued_at;
		ALTER TABLE pgmq.q_wrong DROP COLUMN vt;
		INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES ('bad$name', false, false);
		UPDATE pgmq.q_odd SET vt = 'infinity', enqueued_at = '-infinity';
		INSERT INTO pgmq.q_odd (vt, enqueued_at) VALUES ('-infinity', 'infinity'), ('4713-01-01 BC', '4713-01-01 BC'), (now(), '294276-01-01')`)
	tx, err := pool.Begin(ctx)
	check.OK(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	check.Exec(t, tx, `LOCK TABLE pgmq.q_locked`)

	want := map[string]string{"bad$name": "42P01", "gone": "42P01", "locked": "55P03", "view": "42P01", "wrong": "42703"}
	all, err := admin.Metrics(ctx, pool)
	check.OK(t, err)
	var read []string
	for _, m := range all {
		if m.Messages != nil {
			read = append(read, fmt.Sprint(m.Name, " ", m.Messages.Length))
			continue
		}
		if code := want[m.Name]; code == "" {
			t.Errorf("%s: %v", m.Name, m.Err)
		}
		if m.Name != "view" { // with any error
			check.SQLState(t, m.Err, want[m.Name])
		}
	}
	check.EqualAll(t, "read", read, []string{"first 1", "last 1", "odd 4"})
	check.Is(t, all[slices.IndexFunc(all, func(m admin.QueueMetrics) bool { return m.Name == "gone" })].Err, queue.ErrNoQueue)

	check.Same(t, "rows", check.Values[string](t, pool, `SELECT concat_ws(' ', queue_name, queue_length) FROM pgmq.metrics_all()`), []string{
		"bad$name", "first 1", "gone", "last 1", "locked", "odd 4", "view", "wrong",
	})
	odd := check.Value[[]int32](t, pool, `SELECT ARRAY[newest_msg_age_sec, oldest_msg_age_sec] FROM pgmq.metrics('odd')`)
	check.EqualAll(t, "ages", odd, []int32{-2147483648, 2147483647})
	check.Equal(t, "finite", all[slices.IndexFunc(all, func(m admin.QueueMetrics) bool { return m.Name == "odd" })].Messages.OldestVisible.Before(time.Now()), true)
	check.OK(t, admin.MaintainAll(ctx, pool))
}
