package migrate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// history is an application's own, with a table of its own and migrations that
// pgmq queue migration printed.
func history(t *testing.T, tools check.Tools, pool *pgxpool.Pool, migrations map[string][]string) func(env string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	check.WriteFiles(t, dir, map[string]string{
		"00041_customers.sql": "-- +goose Up\nCREATE TABLE customers (id bigint PRIMARY KEY);\n\n-- +goose Down\nDROP TABLE customers;\n",
		"00049_calls.sql":     "-- +goose Up\nCREATE TABLE calls (id bigint);\nINSERT INTO calls SELECT pgmq.send('orders', '{}');\n\n-- +goose Down\nDROP TABLE calls;\n",
	})
	for file, args := range migrations {
		check.OK(t, os.WriteFile(filepath.Join(dir, file), []byte(check.Output(t, tools.Pgmq(append([]string{"queue", "migration"}, args...)...))), 0o600))
	}
	goose := check.GooseWith(t, tools.Goose, pool, dir, "goose_db_version")
	return func(env string, args ...string) (string, error) {
		cmd := goose(args...)
		cmd.Env = append(cmd.Env, env)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

func TestAQueueIsAMigrationOfTheApplication(t *testing.T) {
	check.Slow(t)
	tools, pool := check.BuiltTools(t), pgtest.Database(t)
	goose := history(t, tools, pool, map[string][]string{
		"00042_pgmq_orders.sql": {"orders", "--notify=100ms", "--topic=orders.*", "--topic=all.#"},
		"00043_pgmq_fast.sql":   {`Fäst "1"`, "--unlogged"},
		"00044_pgmq_events.sql": {"events", "--partition-every=1 day", "--partition-keep=30 days", "--premake=2", "--drop-unread"},
		"00045_pgmq_ids.sql":    {"ids", "--partition-every=10000", "--partition-keep=100000"},
	})
	succeeds := func(env string, args ...string) {
		t.Helper()
		out, err := goose(env, args...)
		if err != nil {
			t.Fatalf("goose %v: %v\n%s", args, err, out)
		}
	}
	fails := func(words string, args ...string) {
		t.Helper()
		out, err := goose("", args...)
		if err == nil {
			t.Fatalf("goose %v did not fail:\n%s", args, out)
		}
		check.Contains(t, out, words)
	}

	succeeds("", "validate")
	fails(`schema pgmq is not in this database yet: run "pgmq migrate up" first`, "up")
	check.Equal(t, "the version", check.Value[int](t, pool, `SELECT max(version_id)::int FROM goose_db_version`), 41)
	pgtest.Migrate(t, pool)
	succeeds("", "up")

	check.Same(t, "queues", check.QueueNames(t, pool), []string{`Fäst "1"`, "events", "ids", "orders"})
	check.Same(t, "kinds", check.Values[string](t, pool, `SELECT concat_ws(' ', relname, relkind, relpersistence) FROM pg_class
		WHERE relnamespace = 'pgmq'::regnamespace AND relname IN ('q_orders', 'a_orders', 'q_fäst "1"', 'q_events', 'q_ids') ORDER BY relname COLLATE "C"`),
		[]string{"a_orders r p", "q_events p p", `q_fäst "1" r u`, "q_ids p p", "q_orders r p"})
	check.Same(t, "partitions", check.Values[string](t, pool, `SELECT concat_ws(' ', queue_name, partition_interval, retention_interval, premake, drop_unread)
		FROM pgmq.partitioned_tables WHERE prefix = 'q' ORDER BY 1`), []string{"events 1 day 30 days 2 t", "ids 10000 100000 4 f"})
	check.Same(t, "notifications", check.Values[string](t, pool, `SELECT queue_name || ' ' || throttle_interval_ms FROM pgmq.notify_insert_throttle`), []string{"orders 100"})
	check.Same(t, "topics", check.Values[string](t, pool, `SELECT pattern || ' ' || queue_name FROM pgmq.topic_bindings ORDER BY 1`), []string{"all.# orders", "orders.* orders"})

	// The migration after it sent a message, so its way down is blocked, and nothing else's.
	succeeds("", "down")
	for range 3 {
		succeeds("", "down")
	}
	fails("pgmq.q_orders still holds messages: empty it, or set pgmq.drop_messages to on for this session", "down")
	orders := check.Open[any](t, pool, "orders")
	check.OK(t, orders.Archive(t.Context(), check.ReadOne(t, orders)))
	fails("pgmq.a_orders still holds messages", "down")
	check.Same(t, "queues left", check.QueueNames(t, pool), []string{"orders"})
	succeeds("PGOPTIONS=-c pgmq.drop_messages=on", "down")
	check.Same(t, "queues left", check.QueueNames(t, pool), nil)
	check.Equal(t, "tables left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname ~ '^[qa]_'`), 0)
	succeeds("", "up")
	check.OK(t, admin.Drop(t.Context(), pool, "orders"))
	succeeds("", "down-to", "0") // a queue dropped by hand is no obstacle
}

func TestAQueueThatCannotBeIsNoMigration(t *testing.T) {
	check.Parallel(t)
	pgmq := check.Command(t)
	for _, bad := range []struct {
		args []string
		why  string
	}{
		{[]string{"a;b"}, `"a;b" cannot be a queue: it contains one of $ ; ' or --`},
		{[]string{"a\n-b"}, `"a\n-b" cannot be a queue: it contains a character that is not printable`},
		{nil, "expected NAME"},
		{[]string{"a", "--notify=1us"}, `--notify is "1us"; it must be a duration in whole milliseconds`},
		{[]string{"a", "--topic=a'b"}, `a topic is "a'b"; it must be`},
		{[]string{"a", "--premake=9"}, "need --partition-every and --partition-keep"},
		{[]string{"a", "--partition-every=1 day"}, `partitions have every "1 day" and keep ""; both must be times`},
		{[]string{"a", "--partition-every=1 day", "--partition-keep=10"}, "both must be times"},
		{[]string{"a", "--partition-every=1'; DROP", "--partition-keep=1 day"}, "both must be times"},
		{[]string{"a", "--partition-every=1 day", "--partition-keep=2 days", "--premake=0"}, "it must be 1 or more"},
		{[]string{"a", "--partition-every=1 day", "--partition-keep=2 days", "--unlogged"}, "always logged"},
	} {
		check.Failure(t, pgmq(append([]string{"queue", "migration"}, bad.args...)...), 2, bad.why, "--help")
	}
}
