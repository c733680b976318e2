package migrate

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// inUse returns a migrated database with a queue that holds two messages, one of
// them archived, and with settings of each kind.
func inUse(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := check.OwnDatabase(t)
	check.Exec(t, pool, `
		SELECT pgmq.create('orders'), pgmq.send('orders', '1'), pgmq.send('orders', '2');
		SELECT pgmq.archive('orders', 1), pgmq.bind_topic('a.*', 'orders'), pgmq.enable_notify_insert('orders');
		SELECT pgmq.create_partitioned('parts', '10', '100');
		SELECT pgmq.set_partition_retention('parts', '70')`)
	return pool
}

// The database counts, and not its version table.
func TestMigrateBelievesTheDatabase(t *testing.T) {
	check.Long(t)
	for name, harm := range map[string]struct {
		sql      string
		missing  []string // none for a history that says too little
		messages bool     // are still there
	}{
		"schema dropped":         {`DROP SCHEMA pgmq CASCADE`, []string{"schema pgmq"}, false},
		"function dropped":       {`DROP FUNCTION pgmq.pop`, []string{"function pgmq.pop"}, true},
		"one of several dropped": {`DROP FUNCTION pgmq.send(text, jsonb)`, []string{"function pgmq.send"}, true},
		"first function dropped": {`DROP FUNCTION pgmq._drop_outdated`, []string{"function pgmq._drop_outdated"}, true},
		"template dropped":       {`DROP TABLE pgmq.template_queue`, []string{"table pgmq.template_queue"}, true},
		"bindings dropped":       {`DROP TABLE pgmq.topic_bindings`, []string{"table pgmq.topic_bindings"}, true},
		"type dropped": {
			`DROP TYPE pgmq.metrics_result CASCADE`,
			[]string{"type pgmq.metrics_result", "function pgmq._metrics_of", "function pgmq.metrics", "function pgmq.metrics_all"},
			true,
		},
		"list dropped":           {`DROP TABLE pgmq.meta CASCADE`, []string{"table pgmq.meta"}, true},
		"history emptied":        {`DELETE FROM public.pgmq_schema_version`, nil, true},
		"history dropped":        {`DROP TABLE public.pgmq_schema_version`, nil, true},
		"history of before":      {`DELETE FROM public.pgmq_schema_version WHERE version_id > 5`, nil, true},
		"history of much before": {`DELETE FROM public.pgmq_schema_version WHERE version_id > 1`, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			pool := inUse(t)
			ctx, db := t.Context(), check.SQLDB(t, pool)
			whole := functions(t, pool)
			check.Exec(t, pool, harm.sql)
			if harm.missing != nil {
				incomplete := check.As[*schema.IncompleteError](t, schema.Check(ctx, db))
				check.Same(t, "missing", incomplete.Missing, harm.missing)
			}
			check.OK(t, schema.Migrate(ctx, db))
			check.OK(t, schema.Check(ctx, db))
			check.Same(t, "functions", functions(t, pool), whole)
			if !harm.messages {
				check.OK(t, admin.Create(ctx, pool, "orders"))
				return
			}
			check.Equal(t, "messages", check.Value[int64](t, pool, `SELECT queue_length FROM pgmq.metrics('orders')`), 1)
			check.Equal(t, "archived", check.Value[int64](t, pool, `SELECT count(*) FROM pgmq.a_orders`), 1)
			check.Equal(t, "notified", check.Value[int64](t, pool, `SELECT count(*) FROM pgmq.list_notify_insert_throttles()`), 1)
			check.Equal(t, "retention", check.Value[string](t, pool, `SELECT retention_interval FROM pgmq.partitioned_tables WHERE prefix = 'q'`), "70")
			check.Same(t, "foreign keys", check.Values[string](t, pool, `SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND confrelid = 'pgmq.meta'::regclass ORDER BY 1`),
				[]string{"pgmq.notify_insert_throttle", "pgmq.partitioned_tables", "pgmq.topic_bindings"})
			check.Exec(t, pool, `SELECT pgmq.create('another'), pgmq.send('another', '1'), pgmq.send('orders', '3')`)
		})
	}
}

func functions(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	all := check.Values[string](t, pool, `SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace`)
	slices.Sort(all)
	return all
}

func TestTheCommandSaysThatItBeginsAnew(t *testing.T) {
	check.Parallel(t)
	pool, pgmq := check.OwnDatabase(t), check.Command(t)
	check.Exec(t, pool, `DROP SCHEMA pgmq CASCADE`)
	for call, code := range map[string]int{"migrate status": 1, "doctor": 4} {
		out, err := pgmq(append(strings.Fields(call), "--database-url", check.DSN(pool))...).CombinedOutput()
		check.Equal(t, "exit code of "+call, check.As[*exec.ExitError](t, err).ExitCode(), code)
		check.Contains(t, string(out), "schema pgmq is not there", "pgmq migrate up")
	}
	check.Contains(t, check.Output(t, pgmq("migrate", "up", "--dry-run", "--database-url", check.DSN(pool))), "00001_adopt.sql")
	out, err := pgmq("migrate", "up", "--database-url", check.DSN(pool)).CombinedOutput()
	check.OK(t, err)
	check.Contains(t, string(out), "schema pgmq is not there", "beginning anew", "applied 00001_adopt.sql", "schema pgmq is at version")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", "--database-url", check.DSN(pool))), "nothing to do")
	check.Output(t, pgmq("migrate", "down", "--all", "--database-url", check.DSN(pool)))
	check.Equal(t, "version table", check.Value[bool](t, pool, `SELECT to_regclass($1) IS NULL`, schema.VersionTable), true)
}

func TestRemoveOfWhatIsGoneRemovesTheHistory(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	check.Exec(t, pool, `DROP SCHEMA pgmq CASCADE`)
	check.OK(t, schema.Remove(t.Context(), check.SQLDB(t, pool)))
	check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))

	check.Exec(t, pool, `DROP FUNCTION pgmq.pop`)
	check.As[*schema.IncompleteError](t, schema.Remove(t.Context(), check.SQLDB(t, pool)))
	check.Exec(t, pool, `SELECT pgmq.create('still there')`)
}

// Settings that no migration up restores are not dropped without an error.
func TestDownRefusesWhileThereAreSettings(t *testing.T) {
	check.Long(t)
	for set, want := range map[string]struct{ words, undo string }{
		`bind_topic('a', 'q')`:             {"pgmq.topic_bindings still holds topic bindings", `unbind_topic('a', 'q')`},
		`enable_notify_insert('q')`:        {"pgmq.notify_insert_throttle still holds settings of notifications", `disable_notify_insert('q')`},
		`create_partitioned('p', '1','1')`: {"pgmq.partitioned_tables still holds settings of partitions", `drop_queue('p')`},
	} {
		pool := check.OwnDatabase(t)
		ctx, db := t.Context(), check.SQLDB(t, pool)
		check.Exec(t, pool, `SELECT pgmq.create('q')`)
		check.Exec(t, pool, "SELECT pgmq."+set)
		check.Failure(t, check.Command(t)("migrate", "down", "--all", "--database-url", check.DSN(pool)), 1, want.words, "--drop-messages")
		check.SQLState(t, schema.Remove(ctx, db), "55000")
		check.OK(t, schema.Migrate(ctx, db))
		check.Exec(t, pool, "SELECT pgmq."+want.undo)
		check.OK(t, schema.Remove(ctx, db))
	}
	pool := inUse(t)
	check.Output(t, check.Command(t)("migrate", "down", "--all", "--drop-messages", "--database-url", check.DSN(pool)))
	check.Equal(t, "schema", check.Value[bool](t, pool, `SELECT to_regnamespace('pgmq') IS NULL`), true)
}
