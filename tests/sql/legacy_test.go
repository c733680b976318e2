package sql

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// table runs a query and returns the names of its columns and its rows as text.
func table(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) (names []string, rows [][]any) {
	t.Helper()
	result, err := pool.Query(t.Context(), sql, args...)
	check.OK(t, err)
	rows, err = pgx.CollectRows(result, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	for _, field := range result.FieldDescriptions() {
		names = append(names, field.Name)
	}
	return names, rows
}

func TestLegacyNamesHaveTheirOldSignatures(t *testing.T) {
	check.Parallel(t)
	const (
		messages = "TABLE(msg_id bigint, read_ct integer, vt timestamp with time zone, enqueued_at timestamp with time zone, message jsonb) strict"
		metrics  = "TABLE(queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer, total_messages bigint, scrape_time timestamp with time zone) strict"
	)
	check.Same(t, "functions", signatures(t, check.DatabaseWith(t, schema.LegacyNames), "public", "^pgmq_"), []string{
		"pgmq_archive(queue_name text, msg_id bigint) boolean strict",
		"pgmq_archive(queue_name text, msg_ids bigint[]) SETOF boolean strict",
		"pgmq_create(queue_name text) void strict",
		"pgmq_create_non_partitioned(queue_name text) void strict",
		"pgmq_create_partitioned(queue_name text, partition_interval text DEFAULT '10000'::text, retention_interval text DEFAULT '100000'::text) void strict",
		"pgmq_delete(queue_name text, msg_id bigint) boolean strict",
		"pgmq_delete(queue_name text, msg_ids bigint[]) SETOF boolean strict",
		"pgmq_drop_queue(queue_name text, partitioned boolean DEFAULT false) boolean strict",
		"pgmq_list_queues() TABLE(queue_name text, created_at timestamp with time zone) strict",
		"pgmq_metrics(queue_name text) " + metrics,
		"pgmq_metrics_all() " + metrics,
		"pgmq_pop(queue_name text) " + messages,
		"pgmq_purge_queue(queue_name text) bigint strict",
		`pgmq_read(queue_name text, vt integer, "limit" integer DEFAULT 1) ` + messages,
		`pgmq_read_with_poll(queue_name text, vt integer, "limit" integer DEFAULT 1, poll_timeout_s integer DEFAULT 5, poll_interval_ms integer DEFAULT 250) ` + messages,
		"pgmq_send(queue_name text, message jsonb, delay integer DEFAULT 0) bigint strict",
		"pgmq_send_batch(queue_name text, messages jsonb[], delay integer DEFAULT 0) SETOF bigint strict",
		"pgmq_set_vt(queue_name text, msg_id bigint, vt_offset integer) " + messages,
	})
}

func TestTheFirstREADMEsStatementsGiveItsResults(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.LegacyNames)
	message := []string{"msg_id", "read_ct", "vt", "enqueued_at", "message"}

	names, rows := table(t, pool, `SELECT pgmq_create('my_queue');`)
	check.Same(t, "columns", names, []string{"pgmq_create"})
	check.Equal(t, "rows", len(rows), 1)
	for want := range int64(2) {
		names, rows = table(t, pool, `SELECT * FROM pgmq_send('my_queue', '{"foo": "bar"}');`)
		check.Same(t, "columns", names, []string{"pgmq_send"})
		check.Equal(t, "id", rows[0][0].(int64), want+1)
	}

	names, rows = table(t, pool, `SELECT * FROM pgmq_read('my_queue', 30, 2);`)
	check.Same(t, "columns", names, message)
	check.Equal(t, "messages", len(rows), 2)
	for i, row := range rows {
		check.Equal(t, "id", row[0].(int64), int64(i+1))
		check.Equal(t, "reads", row[1].(int32), 1)
		check.Equal(t, "message", row[4].(map[string]any)["foo"].(string), "bar")
	}
	_, rows = table(t, pool, `SELECT * FROM pgmq_read('my_queue', 30, 2);`)
	check.Equal(t, "messages while hidden", len(rows), 0)
	_, rows = table(t, pool, `SELECT * FROM pgmq_pop('my_queue');`)
	check.Equal(t, "popped while hidden", len(rows), 0)

	const thirtySecondsLater = `UPDATE pgmq.q_my_queue SET vt = vt - interval '31 seconds'`
	check.Exec(t, pool, thirtySecondsLater)
	names, rows = table(t, pool, `SELECT * FROM pgmq_pop('my_queue');`)
	check.Same(t, "columns", names, message)
	check.Equal(t, "popped", rows[0][0].(int64), 1)

	for _, verb := range []string{"archive", "delete"} {
		check.Exec(t, pool, `SELECT pgmq_drop_queue('my_queue'); SELECT pgmq_create('my_queue'); SELECT pgmq_send('my_queue', '{"foo": "bar"}')`)
		for _, want := range []bool{true, false} {
			names, rows = table(t, pool, `SELECT pgmq_`+verb+`('my_queue', 1);`)
			check.Same(t, "columns", names, []string{"pgmq_" + verb})
			check.Equal(t, verb, rows[0][0].(bool), want)
		}
	}
	check.Equal(t, "messages left", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.q_my_queue`), 0)

	names, rows = table(t, pool, `SELECT * FROM pgmq_list_queues();`)
	check.Same(t, "columns", names, []string{"queue_name", "created_at"})
	check.Equal(t, "queues", len(rows), 1)
	check.Equal(t, "queue", rows[0][0].(string), "my_queue")
}

func TestLegacyNamesTakeArgumentsWithoutATypeByPositionAndByName(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.LegacyNames)
	for _, call := range []struct {
		sql  string
		args []any
	}{
		{`SELECT pgmq_create($1)`, []any{"q"}},
		{`SELECT pgmq_create_non_partitioned($1)`, []any{"Q 2"}},
		{`SELECT * FROM pgmq_send($1, $2)`, []any{"q", map[string]any{"a": 1}}},
		{`SELECT * FROM pgmq_send($1, $2, $3)`, []any{"q", "null", 0}},
		{`SELECT pgmq_send(queue_name => 'q', message => '{}', delay => 0)`, nil},
		{`SELECT pgmq_send('q', '{"a": 1}'::jsonb), pgmq_send('q', '{"a": 1}'::json::jsonb)`, nil},
		{`SELECT * FROM pgmq_send_batch('q', '{"{}","[1]"}')`, nil},
		{`SELECT * FROM pgmq_send_batch(queue_name => 'q', messages => $1, delay => 0)`, []any{[]string{"{}"}}},
		{`SELECT * FROM pgmq_read('q', '30', '1')`, nil},
		{`SELECT * FROM pgmq_read('q', 5)`, nil}, // the seed of a client
		{`SELECT * FROM pgmq_read(queue_name => 'q', vt => 30, "limit" => 1)`, nil},
		{`SELECT * FROM pgmq_read_with_poll('q', 30, 1)`, nil},
		{`SELECT * FROM pgmq_read_with_poll('q', 30, 1, poll_timeout_s => 1, poll_interval_ms => 10)`, nil},
		{`SELECT * FROM pgmq_set_vt('q', '1', '0')`, nil},
		{`SELECT * FROM pgmq_set_vt(queue_name => 'q', msg_id => 1, vt_offset => 0)`, nil},
		{`SELECT * FROM pgmq_pop($1)`, []any{"q"}},
		{`SELECT pgmq_archive('q', 2)`, nil},
		{`SELECT pgmq_delete(queue_name => 'q', msg_id => $1)`, []any{3}},
		{`SELECT * FROM pgmq_archive('q', ARRAY[4, 4711])`, nil},
		{`SELECT * FROM pgmq_delete('q', ARRAY[5, 4711])`, nil},
		{`SELECT * FROM pgmq_metrics('q')`, nil},
		{`SELECT * FROM pgmq_metrics_all()`, nil},
		{`SELECT pgmq_purge_queue('q')`, nil},
		{`SELECT pgmq_drop_queue('q'), pgmq_drop_queue('Q 2', partitioned => true)`, nil},
	} {
		if _, rows := table(t, pool, call.sql, call.args...); len(rows) == 0 {
			t.Errorf("%s returned nothing", call.sql)
		}
	}
}

func TestLegacyBatchesTellOfEveryIDInTheOrderGiven(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.LegacyNames)
	check.Exec(t, pool, `SELECT pgmq_create('q'); SELECT pgmq_send_batch('q', '{1, 2, 3, 4}')`)
	for sql, want := range map[string]string{
		`SELECT string_agg(d::text, ' ') FROM pgmq_delete('q', ARRAY[9, 2, NULL, 1]) AS d`:      "false true false true",
		`SELECT string_agg(d::text, ' ') FROM pgmq_archive('q', ARRAY[4, 9, 3, -3]) AS d`:       "true false true false",
		`SELECT coalesce(string_agg(d::text, ' '), '') FROM pgmq_delete('q', '{}'::int[]) AS d`: "",
	} {
		check.Equal(t, sql, check.Value[string](t, pool, sql), want)
	}
	check.Equal(t, "archived", check.Value[string](t, pool, `SELECT string_agg(msg_id::text, ' ' ORDER BY msg_id) FROM pgmq.a_q`), "3 4")
	check.Equal(t, "left", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.q_q`), 0)
}

func TestLegacyNamesDoNothingWithNULL(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.LegacyNames)
	check.Exec(t, pool, `SELECT pgmq_create('q'); SELECT pgmq_send('q', '1')`)
	for _, call := range []string{`pgmq_send('q', NULL)`, `pgmq_delete('q', NULL::bigint)`, `pgmq_archive(NULL, 1)`, `pgmq_purge_queue(NULL)`, `pgmq_drop_queue('q', NULL)`} {
		check.Equal(t, call, check.Value[bool](t, pool, `SELECT `+call+` IS NULL`), true)
	}
	for _, call := range []string{
		`pgmq_read('q', 30, NULL)`, `pgmq_read('q', NULL, 1)`, `pgmq_read_with_poll('q', 30, 1, NULL)`, `pgmq_pop(NULL)`,
		`pgmq_send_batch('q', NULL)`, `pgmq_set_vt('q', 1, NULL)`, `pgmq_delete('q', NULL::bigint[])`, `pgmq_metrics(NULL)`,
	} {
		check.Equal(t, call, check.Value[int](t, pool, `SELECT count(*)::int FROM `+call), 0)
	}
	check.Equal(t, "messages that were never read", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.q_q WHERE read_ct = 0`), 1)
}

func TestLegacyMessagesShowVTBeforeEnqueuedAt(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.LegacyNames)
	check.Exec(t, pool, `SELECT pgmq_create('q'); SELECT pgmq_send('q', '1'); UPDATE pgmq.q_q SET enqueued_at = '2000-01-01Z'`)
	for _, call := range []string{`pgmq_set_vt('q', 1, 0)`, `pgmq_read('q', 0, 1)`, `pgmq_read_with_poll('q', 0, 1)`, `pgmq_pop('q')`} {
		check.Equal(t, call, check.Value[string](t, pool, `SELECT concat_ws(' ', msg_id, extract(year FROM vt) > 2000, extract(year FROM enqueued_at AT TIME ZONE 'UTC'), message) FROM `+call), "1 t 2000 1")
	}
}
