package sql

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestEveryFunctionRefusesTheNamesThatPGMQRefuses(t *testing.T) {
	check.Parallel(t)
	for _, call := range []string{
		`format_table_name($1, 'q')`, `validate_queue_name($1)`, `create($1)`, `create_unlogged($1)`, `create_partitioned($1)`,
		`send($1, '1')`, `send_batch($1, ARRAY['1']::jsonb[])`, `read($1, 1, 1)`, `pop($1)`, `delete($1, 1)`, `archive($1, 1)`,
		`set_vt($1, 1, 1)`, `metrics($1)`, `purge_queue($1)`, `drop_queue($1)`, `convert_archive_partitioned($1)`,
		`create_fifo_index($1)`, `read_grouped($1, 1, 1)`, `enable_notify_insert($1)`,
	} {
		for _, name := range []string{`own$100`, `a;b`, `a--b`, `a'b`} {
			_, err := pgtest.Pool().Exec(t.Context(), `SELECT pgmq.`+call, name)
			check.Equal(t, call, check.As[*pgconn.PgError](t, err).Message, `queue name contains invalid characters: $, ;, --, or \'`)
			check.SQLState(t, err, "P0001")
		}
	}
}

func TestDropAndPurgeTouchNothingButAQueue(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), check.OwnDatabase(t)
	check.Exec(t, pool, `
		SELECT pgmq.create('orders'), pgmq.create_partitioned('own', '100', '100000');
		SELECT pgmq.send_batch('own', array_agg(to_jsonb(i))), pgmq.send_batch('orders', array_agg(to_jsonb(i))) FROM generate_series(1, 900) AS i;
		SELECT pgmq.archive('orders', array_agg(i::bigint)) FROM generate_series(1, 300) AS i;
		SELECT pgmq.convert_archive_partitioned('orders');
		CREATE TABLE pgmq.q_report (x int); INSERT INTO pgmq.q_report VALUES (1);
		CREATE TABLE pgmq.q_copy AS SELECT * FROM pgmq.q_orders;
		CREATE TABLE pgmq.q_orphan (LIKE pgmq.q_orders INCLUDING ALL);
		CREATE VIEW pgmq.q_view AS SELECT * FROM pgmq.q_orders`)
	count := `SELECT count(*) FROM pgmq.q_own UNION ALL SELECT count(*) FROM pgmq.q_orders UNION ALL SELECT count(*) FROM pgmq.a_orders_old
		UNION ALL SELECT count(*) FROM pgmq.q_report UNION ALL SELECT count(*) FROM pgmq.q_copy UNION ALL SELECT count(*) FROM pgmq.q_orphan`
	before := check.Values[int64](t, pool, count)
	for name, what := range map[string]string{
		"own_default":       "is a partition of another queue",
		"orders_pkey":       "is not a queue's table",
		"orders_msg_id_seq": "is not a queue's table",
		"report":            "is not a queue's table",
		"copy":              "is not a queue's table",
		"view":              "is not a queue's table",
		"orphan":            "belongs to no queue in pgmq.meta",
	} {
		for _, call := range []string{`drop_queue($1)`, `purge_queue($1)`, `drop_queue(upper($1))`} {
			_, err := pool.Exec(ctx, "SELECT pgmq."+call, name)
			check.SQLState(t, err, "42809")
			check.Contains(t, err.Error(), what)
		}
		_, err := admin.Purge(ctx, pool, name)
		check.SQLState(t, err, "42809")
		check.SQLState(t, admin.Drop(ctx, pool, name), "42809")
	}
	check.Equal(t, "dropped", check.Value[bool](t, pool, `SELECT pgmq.drop_queue('orders_old')`), false)
	_, err := pool.Exec(ctx, `SELECT pgmq.convert_archive_partitioned('own_default')`)
	check.SQLState(t, err, "42809")
	check.EqualAll(t, "rows", check.Values[int64](t, pool, count), before)
	check.Exec(t, pool, `SELECT pgmq.send('own', '1'), pgmq.send('orders', '1')`)
}

func TestCreateRefusesANameThatIsTaken(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), check.OwnDatabase(t)
	check.Exec(t, pool, `
		SELECT pgmq.create('orders'), pgmq.create_partitioned('own', '100', '1000');
		SELECT pgmq.convert_archive_partitioned('orders');
		CREATE TABLE pgmq.a_half (x int);
		CREATE MATERIALIZED VIEW pgmq.q_view AS SELECT 1 AS x;
		CREATE TYPE pgmq.q_type AS (x int)`)
	for name, what := range map[string]string{
		"orders_pkey":       "index pgmq.q_orders_pkey is not a queue's table",
		"Orders_PKEY":       "index pgmq.q_orders_pkey is not a queue's table",
		"orders_msg_id_seq": "sequence pgmq.q_orders_msg_id_seq is not a queue's table",
		"orders_old":        "table pgmq.a_orders_old is the older archive of another queue",
		"own_default":       "table pgmq.q_own_default is a partition of another queue",
		"half":              "table pgmq.a_half is not a queue's table",
		"view":              "materialized view pgmq.q_view is not a queue's table",
		"type":              "pgmq.q_type is not a queue's table",
	} {
		want := `queue name "` + name + `" is taken: `
		err := admin.Create(ctx, pool, name)
		check.SQLState(t, err, "42809")
		check.Contains(t, err.Error(), want, what)
		_, err = pool.Exec(ctx, `SELECT pgmq.create_partitioned($1)`, name)
		check.SQLState(t, err, "42809")
	}
	check.Equal(t, "queues", check.Value[int64](t, pool, `SELECT count(*) FROM pgmq.meta`), 2)

	// An entry without a table of its own, as earlier versions made, can be removed.
	check.Exec(t, pool, `INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES ('orders_pkey', false, false)`)
	check.OK(t, admin.Drop(ctx, pool, "orders_pkey"))
	check.Exec(t, pool, `SELECT pgmq.send('orders', '1')`)
}

// Names of indexes and partitions give way: nobody depends on them.
func TestNamesThatMeetGiveWay(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	long := strings.Repeat("n", 47)
	check.Exec(t, pool, `
		CREATE TABLE pgmq.mine (x int); CREATE INDEX archived_at_idx_a ON pgmq.mine (x); CREATE INDEX q_c_part_idx ON pgmq.mine (x);
		SELECT pgmq.create('b_default'), pgmq.create('a_pkey'), pgmq.create('c_msg_id_seq'), pgmq.create('c_pkey')`)
	check.Exec(t, pool, `SELECT pgmq.create('a'), pgmq.create_partitioned('b', '10', '10'), pgmq.create_partitioned('c', 'daily', 'weekly'), pgmq.create($1)`, long)
	check.Exec(t, pool, `SELECT pgmq.send('b', '1'), pgmq.send('b_default', '1'), pgmq.send('c', '1'), pgmq.send('a', '1'), pgmq.drop_queue('b_default')`)
	check.Equal(t, "messages", check.Value[int64](t, pool, `SELECT queue_length FROM pgmq.metrics('b')`), 1)
	check.Same(t, "archives without an index on their time", check.Values[string](t, pool, `
		SELECT relname::text FROM pg_class AS c WHERE relname LIKE 'a\_%' AND relkind IN ('r', 'p') AND NOT EXISTS (
			SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
			WHERE i.indrelid = c.oid AND a.attname = 'archived_at')`), nil)
}
