package migrate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// kept lists the rows of every table of PGMQ's, without columns that are NULL.
func kept(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	var all []string
	for _, table := range check.Values[string](t, pool, `
		SELECT oid::regclass::text FROM pg_class
		WHERE relnamespace = 'pgmq'::regnamespace AND relkind = 'r' AND relname !~ '^template_' ORDER BY 1`) {
		all = append(all, check.Values[string](t, pool, `SELECT $1 || ' ' || jsonb_strip_nulls(to_jsonb(t)) FROM `+table+` AS t ORDER BY 1`, table)...)
	}
	return all
}

// keeps fails the test unless the rows are those that kept returned before.
func keeps(t testing.TB, pool *pgxpool.Pool, before []string) {
	t.Helper()
	after := kept(t, pool)
	for _, row := range before {
		if !slices.Contains(after, row) {
			t.Errorf("lost: %s", row)
		}
	}
	for _, row := range after {
		if !slices.Contains(before, row) {
			t.Errorf("new: %s", row)
		}
	}
	check.Equal(t, "rows", len(after), len(before))
}

// differences lists the objects that fresh has and adopted lacks, and functions that
// adopted has beside those that fresh has of the same name.
func differences(t testing.TB, adopted, fresh *pgxpool.Pool) []string {
	t.Helper()
	const functions = `
		SELECT proname || ' ' || pg_get_functiondef(oid) || ' -- ' || coalesce(obj_description(oid, 'pg_proc'), '')
		FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace ORDER BY 1`
	const types = `
		SELECT c.relname || ' ' || string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
		FROM pg_class AS c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
		WHERE relnamespace = 'pgmq'::regnamespace AND relkind IN ('c', 'r') AND relname !~ '^[qa]_'
		GROUP BY c.relname`
	has, names := map[string]bool{}, map[string]bool{}
	var wrong []string
	for _, sql := range []string{functions, types} {
		have := map[string]bool{}
		for _, object := range check.Values[string](t, adopted, sql) {
			have[object] = true
		}
		for _, object := range check.Values[string](t, fresh, sql) {
			has[object] = true
			if !have[object] {
				wrong = append(wrong, "missing: "+object)
			}
		}
	}
	for _, name := range check.Values[string](t, fresh, `SELECT proname::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace`) {
		names[name] = true
	}
	for _, object := range check.Values[string](t, adopted, functions) {
		if name, _, _ := strings.Cut(object, " "); names[name] && !has[object] {
			wrong = append(wrong, "left over: "+object)
		}
	}
	return wrong
}

// storage returns a queue's columns, indexes and parameters, without the names of indexes.
func storage(t testing.TB, pool *pgxpool.Pool, name string) []string {
	t.Helper()
	return check.Values[string](t, pool, `
		SELECT 'options ' || coalesce(reloptions::text, '') FROM pg_class WHERE oid = $1::regclass
		UNION ALL
		SELECT concat_ws(' ', 'column', attname, format_type(atttypid, atttypmod), attnotnull, attidentity, pg_get_expr(adbin, adrelid))
		FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
		UNION -- not ALL: MyQueue and myqueue left two indexes on their archive
		SELECT 'index ' || regexp_replace(pg_get_indexdef(indexrelid), 'INDEX .* USING', 'INDEX') || indisprimary
		FROM pg_index WHERE indrelid = $1::regclass
		ORDER BY 1`, pgx.Identifier{"pgmq", name}.Sanitize())
}

func TestAnExistingPGMQIsAdopted(t *testing.T) {
	check.Parallel(t)
	fresh := check.OwnDatabase(t)
	for _, version := range check.PGMQVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Database(t)
			check.InstallPGMQ(t, pool, version)
			before := kept(t, pool)
			check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
			keeps(t, pool, before)

			check.Same(t, "differences from a database that never saw PGMQ", differences(t, pool, fresh), nil)
			check.Exec(t, pool, `SELECT pgmq.create('made by us'), pgmq.create_unlogged('unlogged by us')`)
			for _, name := range []string{"orders", "order-events.v2", "myqueue", `a "b" ü`, "fast", "latest"} {
				check.Same(t, "storage of "+name, storage(t, pool, "q_"+name), storage(t, pool, "q_made by us"))
				check.Same(t, "storage of its archive", storage(t, pool, "a_"+name), storage(t, pool, "a_made by us"))
			}
			check.Equal(t, "q_fast is", check.Value[string](t, pool, `SELECT relpersistence::text FROM pg_class WHERE oid = 'pgmq.q_fast'::regclass`), "u")

			adoptedDependantsWork(t, pool)
			adoptedQueuesWork(t, pool)
			if slices.Index(check.PGMQVersions, version) >= slices.Index(check.PGMQVersions, "1.8") {
				adoptedTriggersWork(t, pool)
			}
			check.Exec(t, pool, `UPDATE pgmq.q_orders SET vt = now()`) // so that no poll waits
			for _, call := range documentedCalls {
				check.Exec(t, pool, call)
			}

			catalog, rows := check.Catalogue(t, pool), kept(t, pool)
			results, err := provider(t, pool).Up(t.Context())
			check.OK(t, err)
			check.Equal(t, "migrations applied again", len(results), 0)
			check.Same(t, "the catalogue", check.Catalogue(t, pool), catalog)
			keeps(t, pool, rows)
		})
	}
}

// adoptedDependantsWork calls functions and views that users built.
func adoptedDependantsWork(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	check.Equal(t, "rows of app.queues", check.Value[int](t, pool, `SELECT count(*)::int FROM app.queues WHERE queue_name IN ('orders', 'MyQueue', 'myqueue', 'Orphan')`), 4)
	check.Same(t, "app.lengths", check.Values[string](t, pool, `SELECT concat_ws(' ', queue_name, queue_length) FROM app.lengths WHERE queue_name ~* 'order|orphan' ORDER BY 1`),
		[]string{"Order-Events.v2 20", "Orphan", "orders 20"})
	check.Equal(t, "taken", check.Value[string](t, pool, `
		SELECT concat_ws(' ', msg_id, read_ct, last_read_at <= clock_timestamp(), vt > clock_timestamp(), message ->> 'n', headers IS NULL)
		FROM app.take('orders')`), "6 2 t t 6 t")
	check.Equal(t, "ids", check.Value[string](t, pool, `SELECT string_agg(id::text, ' ') FROM app.ids('Order-Events.v2') AS id`), "6 7 10 11 12 13 14 15 16 17 18 19 20 22 23")
	check.Equal(t, "placed", check.Value[int](t, pool, `SELECT app.place('{"placed": 1}')`), 24)
	check.Equal(t, "pgmq.mine()", check.Value[string](t, pool, `SELECT pgmq.mine()`), "mine")
}

// adoptedQueuesWork is a consumer and a producer in Go.
func adoptedQueuesWork(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	ctx := t.Context()
	q := check.Open[map[string]any](t, pool, "MyQueue")
	msgs, err := q.Read(ctx, 3)
	check.OK(t, err)
	check.Same(t, "bodies", []string{msgs[0].Body["queue"].(string), msgs[2].Body["queue"].(string)}, []string{"MyQueue", "MyQueue"})
	check.Equal(t, "reads", msgs[0].Reads, 2)
	check.Equal(t, "reads", msgs[2].Reads, 1)
	check.OK(t, q.SetVT(ctx, time.Minute, msgs...))
	check.OK(t, q.Archive(ctx, msgs[0]))
	check.OK(t, q.Delete(ctx, msgs[1:]...))
	id := check.Send(t, q, map[string]any{"new": true}, queue.Headers{"a": 1})
	check.Equal(t, "id", id, 24)

	for _, call := range []string{
		`SELECT msg_id FROM pgmq.read('parted', 60, 1)`,
		`SELECT pgmq.send('parted', '{}', '{"x-pgmq-group": "a"}'::jsonb)`, `SELECT msg_id FROM pgmq.read_grouped('parted', 60, 1)`,
		`SELECT pgmq.archive('parted', ARRAY[12])`, `SELECT msg_id FROM pgmq.pop('parted')`,
	} {
		check.Equal(t, "rows of "+call, len(check.Values[int64](t, pool, call)), 1)
	}

	dropped := check.Value[bool](t, pool, `SELECT pgmq.drop_queue('myqueue') AND pgmq.drop_queue('Orphan')`)
	check.Equal(t, "dropped", dropped, true)
	check.Equal(t, "rows of dropped queues", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.meta WHERE lower(queue_name) IN ('myqueue', 'orphan')`), 0)
}

// adoptedTriggersWork listens to a queue that was told to notify.
func adoptedTriggersWork(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	check.OK(t, err)
	defer conn.Release()
	check.Exec(t, conn, `LISTEN "pgmq.q_orders.INSERT"; SELECT pgmq.send('orders', '{"wake": "up"}')`)
	n, err := conn.Conn().WaitForNotification(t.Context())
	check.OK(t, err)
	check.Equal(t, "channel", n.Channel, "pgmq.q_orders.INSERT")
	check.Exec(t, conn, `UNLISTEN *`)
}

// Every function and every overload of the contract, as people call them.
var documentedCalls = []string{
	`SELECT pgmq.send('orders', '{}')`, `SELECT pgmq.send(queue_name => 'orders', msg => '{}')`,
	`SELECT pgmq.send('orders', '{}', 0)`, `SELECT pgmq.send(queue_name => 'orders', msg => '{}', delay => 0)`,
	`SELECT pgmq.send('orders', '{}', now())`, `SELECT pgmq.send('orders', '{}', '{}'::jsonb)`,
	`SELECT pgmq.send(queue_name => 'orders', msg => '{}', headers => '{}')`,
	`SELECT pgmq.send('orders', '{}', '{}', 0)`, `SELECT pgmq.send('orders', '{}', '{}', now())`,
	`SELECT pgmq.send_batch('orders', ARRAY['{}']::jsonb[])`, `SELECT pgmq.send_batch('orders', '{"{}"}')`,
	`SELECT pgmq.send_batch('orders', '{"{}"}', 0)`, `SELECT pgmq.send_batch('orders', '{"{}"}', now())`,
	`SELECT pgmq.send_batch('orders', '{"{}"}', ARRAY['{}']::jsonb[])`,
	`SELECT pgmq.send_batch('orders', '{"{}"}', '{"{}"}', 0)`, `SELECT pgmq.send_batch('orders', '{"{}"}', '{"{}"}', now())`,
	`SELECT * FROM pgmq.read('orders', 0, 1)`, `SELECT * FROM pgmq.read('orders', '0', '1')`,
	`SELECT * FROM pgmq.read(queue_name => 'orders', vt => 0, qty => 1, conditional => '{"n": 1}')`,
	`SELECT * FROM pgmq.read_with_poll('orders', 0, 1)`, `SELECT * FROM pgmq.read_with_poll('orders', 0, 1, 1, 10)`,
	`SELECT * FROM pgmq.read_with_poll(queue_name => 'orders', vt => 0, qty => 1, conditional => '{}')`,
	`SELECT * FROM pgmq.pop('orders')`, `SELECT * FROM pgmq.pop(queue_name => 'orders', qty => 2)`,
	`SELECT * FROM pgmq.read_grouped('orders', 0, 1)`, `SELECT * FROM pgmq.read_grouped_with_poll('orders', 0, 1)`,
	`SELECT * FROM pgmq.read_grouped_rr('orders', 0, 1)`, `SELECT * FROM pgmq.read_grouped_rr_with_poll('orders', 0, 1, 1, 10)`,
	`SELECT * FROM pgmq.read_grouped_head('orders', 0, 1)`, `SELECT * FROM pgmq.read_grouped_head_with_poll('orders', 0, 1)`,
	`SELECT * FROM pgmq.set_vt('orders', 20, 0)`, `SELECT * FROM pgmq.set_vt('orders', 20, now())`,
	`SELECT * FROM pgmq.set_vt('orders', ARRAY[20], 0)`, `SELECT * FROM pgmq.set_vt('orders', ARRAY[20], now())`,
	`SELECT pgmq.archive('orders', 20)`, `SELECT pgmq.archive('orders', ARRAY[19, 20])`,
	`SELECT pgmq.delete('orders', 18)`, `SELECT pgmq.delete(queue_name => 'orders', msg_ids => ARRAY[17])`,
	`SELECT * FROM pgmq.metrics('orders')`, `SELECT * FROM pgmq.metrics_all()`, `SELECT * FROM pgmq.list_queues()`,
	`SELECT pgmq.create_fifo_index('orders')`, `SELECT pgmq.create_fifo_indexes_all()`,
	`SELECT pgmq.create('orders')`, `SELECT pgmq.create_non_partitioned('n')`, `SELECT pgmq.create_unlogged('u')`,
	`SELECT pgmq.validate_queue_name('n')`, `SELECT pgmq.detach_archive('n')`, `SELECT pgmq.purge_queue('n')`,
	`SELECT pgmq.bind_topic('k.#', 'orders')`, `SELECT * FROM pgmq.test_routing('k.l')`,
	`SELECT pgmq.send_topic('k.l', '{}')`, `SELECT pgmq.send_topic('k.l', '{}', 0)`, `SELECT pgmq.send_topic('k.l', '{}', '{}', 0)`,
	`SELECT pgmq.send_topic(routing_key => 'k.l', msg => '{}', headers => '{}'::jsonb)`,
	`SELECT pgmq.send_batch_topic('k.l', '{"{}"}')`, `SELECT pgmq.send_batch_topic('k.l', '{"{}"}', '{"{}"}', now())`,
	`SELECT * FROM pgmq.list_topic_bindings()`, `SELECT * FROM pgmq.list_topic_bindings('orders')`,
	`SELECT pgmq.unbind_topic('k.#', 'orders')`,
	`SELECT pgmq.drop_queue('n')`, `SELECT pgmq.drop_queue('u', false)`, `SELECT pgmq.drop_queue('u', partitioned => true)`,
}
