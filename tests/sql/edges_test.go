package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestReadingTakesPGMQsEdgeCasesAsPGMQ(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for call, want := range map[string]string{ // '' none, a number of rows, or an SQLSTATE
		`read($1, NULL, 5)`:                                "23502",
		`read($1, 0, 5)`:                                   "3",
		`read($1, -5, 5)`:                                  "3",
		`read($1, 30, 0)`:                                  "0",
		`read($1, 30, -1)`:                                 "2201W",
		`read($1, 30, NULL)`:                               "3",
		`read($1, 30, 5, NULL)`:                            "3",
		`read($1, 30, 5, '{}')`:                            "3",
		`read($1, 30, 5, '{"a": 1}')`:                      "1",
		`read(NULL, 30, 5)`:                                "22004",
		`read('no such queue', 30, 5)`:                     "42P01",
		`pop($1, 0)`:                                       "0",
		`pop($1, -1)`:                                      "2201W",
		`pop($1, NULL)`:                                    "3",
		`pop($1)`:                                          "1",
		`read_with_poll($1, 30, 5, 0)`:                     "0", // not even a look
		`read_with_poll($1, 30, 5, -1)`:                    "0",
		`read_with_poll($1, 30, 5, NULL)`:                  "3",
		`read_with_poll($1, 30, 5, 1, 0)`:                  "3",
		`read_with_poll($1, 30, 5, 1, NULL)`:               "3",
		`read_with_poll($1, 30, 5, 1, -1, '{"a": 1}')`:     "1",
		`read_grouped($1, 30, NULL)`:                       "0",
		`read_grouped($1, 30, 0)`:                          "0",
		`read_grouped($1, 30, -1)`:                         "2201W",
		`read_grouped_rr($1, 30, NULL)`:                    "0",
		`read_grouped_rr($1, 30, -1)`:                      "0",
		`read_grouped_head($1, 30, NULL)`:                  "1",
		`read_grouped_head($1, 30, -1)`:                    "2201W",
		`read_grouped('no such queue', 30, 5)`:             "42P01",
		`set_vt($1, ARRAY[1, 2, 99], 0)`:                   "2",
		`set_vt($1, 1::bigint, NULL::integer)`:             "23502",
		`set_vt($1, 99::bigint, NULL::integer)`:            "0",
		`set_vt($1, 1::bigint, '2000-01-01'::timestamptz)`: "1",
		`delete($1, NULL::bigint[])`:                       "0",
		`delete($1, '{}'::bigint[])`:                       "0",
		`archive($1, ARRAY[3, 3, 99]::bigint[])`:           "1",
		`send($1, NULL)`:                                   "1",
		`send($1, '1', NULL::integer)`:                     "23502",
		`send($1, '1', -60)`:                               "1",
		`send_batch($1, NULL)`:                             "P0001",
		`send_batch($1, '{}')`:                             "P0001",
		`send_batch($1, ARRAY['1', NULL]::jsonb[], ARRAY['{}']::jsonb[])`:       "P0001",
		`send_batch($1, ARRAY['1', NULL]::jsonb[], ARRAY[NULL, '{}']::jsonb[])`: "2",
	} {
		q := pgtest.Queue[map[string]int](t)
		check.SendBatch(t, q, []map[string]int{{"a": 1}, {"a": 2}, nil})
		rows, err := pool.Query(t.Context(), `SELECT 1 FROM pgmq.`+replaceName(call, q.Name()))
		check.OK(t, err)
		got, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			check.Equal(t, call, check.As[*pgconn.PgError](t, err).Code, want)
			continue
		}
		check.Equal(t, call, fmt.Sprint(len(got)), want)
	}
}

// Clients leave the types of parameters to the server, and call by name.
func TestUntypedAndNamedCallsFindTheirFunction(t *testing.T) {
	check.Parallel(t)
	ctx := t.Context()
	conn, err := pgx.ConnectConfig(ctx, pgtest.Pool().Config().ConnConfig)
	check.OK(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	for _, sql := range []string{
		`SELECT * FROM pgmq.read($1, $2, $3)`,
		`SELECT * FROM pgmq.read($1, $2, $3, $4)`,
		`SELECT * FROM pgmq.read(queue_name => $1, vt => $2, qty => $3, conditional => $4)`,
		`SELECT * FROM pgmq.read_with_poll($1, $2, $3, $4, $5)`,
		`SELECT * FROM pgmq.read_with_poll(queue_name => $1, vt => $2, qty => $3, conditional => $4)`,
		`SELECT * FROM pgmq.read_grouped($1, $2, $3)`,
		`SELECT * FROM pgmq.read_grouped_rr_with_poll($1, $2, $3, $4, $5)`,
		`SELECT * FROM pgmq.pop($1)`,
		`SELECT * FROM pgmq.pop($1, $2)`,
		`SELECT * FROM pgmq.send($1, $2)`,
		`SELECT * FROM pgmq.send($1, $2, $3::integer)`,
		`SELECT * FROM pgmq.send($1, $2, $3::timestamptz)`,
		`SELECT * FROM pgmq.send(queue_name => $1, msg => $2, headers => $3)`,
		`SELECT * FROM pgmq.send(queue_name => $1, msg => $2, delay => $3::integer)`,
		`SELECT * FROM pgmq.send_batch($1, $2)`,
		`SELECT * FROM pgmq.send_batch($1, $2, $3::integer)`,
		`SELECT * FROM pgmq.send_batch(queue_name => $1, msgs => $2, headers => $3)`,
		`SELECT pgmq.delete($1, $2::bigint)`,
		`SELECT pgmq.delete(queue_name => $1, msg_id => $2)`,
		`SELECT pgmq.delete(queue_name => $1, msg_ids => $2)`,
		`SELECT pgmq.archive(queue_name => $1, msg_id => $2)`,
		`SELECT pgmq.archive(queue_name => $1, msg_ids => $2)`,
		`SELECT * FROM pgmq.set_vt($1, $2::bigint, $3::integer)`,
		`SELECT * FROM pgmq.set_vt(queue_name => $1, msg_ids => $2, vt => $3::timestamptz)`,
		`SELECT pgmq.create($1)`,
		`SELECT pgmq.create_partitioned($1, $2, $3)`,
		`SELECT pgmq.create_partitioned($1, $2, $3, $4)`,
		`SELECT pgmq.drop_queue($1)`,
		`SELECT pgmq.drop_queue($1, $2)`,
		`SELECT pgmq.drop_queue(queue_name => $1, partitioned => $2)`,
		`SELECT * FROM pgmq.metrics($1)`,
		`SELECT pgmq.send_topic($1, $2)`,
		`SELECT pgmq.send_topic(routing_key => $1, msg => $2, delay => $3)`,
		`SELECT pgmq.send_topic(routing_key => $1, msg => $2, headers => $3)`,
		`SELECT * FROM pgmq.send_batch_topic($1, $2)`,
		`SELECT pgmq.enable_notify_insert($1)`,
		`SELECT pgmq.enable_notify_insert($1, $2)`,
		`SELECT pgmq.convert_archive_partitioned($1, $2, $3, $4)`,
	} {
		if _, err := conn.Prepare(ctx, "", sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	// Ambiguous, as in PGMQ.
	_, err = conn.Prepare(ctx, "", `SELECT pgmq.delete('q', '{1,2}')`)
	check.SQLState(t, err, "42725")
}

func TestResultsAreCalledAsTheirFunctions(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	const message = "msg_id read_ct enqueued_at last_read_at vt message headers"
	for call, want := range map[string]string{
		`send($1, '1')`:                 "send",
		`send_batch($1, '{1}')`:         "send_batch",
		`delete($1, 99::bigint)`:        "delete",
		`delete($1, '{99}'::bigint[])`:  "delete",
		`archive($1, '{99}'::bigint[])`: "archive",
		`read($1, 0, 1)`:                message,
		`pop($1)`:                       message,
		`read_grouped($1, 0, 1)`:        message,
		`set_vt($1, 99::bigint, 1)`:     message,
		`purge_queue($1)`:               "purge_queue",
		`list_queues()`:                 "queue_name is_partitioned is_unlogged created_at",
		`metrics($1)`:                   "queue_name queue_length newest_msg_age_sec oldest_msg_age_sec total_messages scrape_time queue_visible_length default_partition_length",
		`drop_queue($1)`:                "drop_queue",
	} {
		rows, err := pool.Query(t.Context(), `SELECT * FROM pgmq.`+replaceName(call, pgtest.Queue[int](t).Name()))
		check.OK(t, err)
		columns := ""
		for _, field := range rows.FieldDescriptions() {
			columns += " " + field.Name
		}
		rows.Close()
		check.Equal(t, call, columns[1:], want)
	}
}

// replaceName puts the queue's name for $1.
func replaceName(call, name string) string { return strings.Replace(call, "$1", "'"+name+"'", 1) }

func TestDropAndDetachTellInPGMQsWords(t *testing.T) {
	check.Parallel(t)
	var told []string
	pool := check.NewPool(t, func(c *pgxpool.Config) {
		c.MaxConns = 1
		c.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { told = append(told, n.Severity+": "+n.Message) }
	})
	check.Exec(t, pool, `SELECT pgmq.drop_queue('never there')`)
	check.Equal(t, "result", check.Value[bool](t, pool, `SELECT pgmq.drop_queue('never there', true)`), true)
	check.Exec(t, pool, `SELECT pgmq.detach_archive('never there')`)
	check.Exec(t, pool, `SELECT pgmq.convert_archive_partitioned('never there')`)
	check.Same(t, "told", told, []string{
		"NOTICE: pgmq queue `never there` does not exist",
		"WARNING: drop_queue(queue_name, partitioned) is deprecated and will be removed in PGMQ v2.0. Use drop_queue(queue_name) instead",
		"NOTICE: pgmq queue `never there` does not exist",
		"WARNING: detach_archive(queue_name) is deprecated and is a no-op. It will be removed in PGMQ v2.0. Archive tables are no longer member objects.",
		"NOTICE: Table a_never theres does not exists",
	})
}

func TestEveryFormOfSendTakesItsHeadersAndItsDelay(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	for _, form := range []struct {
		call            string
		headers, hidden bool
	}{
		{`send($1, '1')`, false, false},
		{`send($1, '1', '{"h": 1}'::jsonb)`, true, false},
		{`send($1, '1', 3600)`, false, true},
		{`send($1, '1', now() + interval '1 hour')`, false, true},
		{`send($1, '1', '{"h": 1}', 3600)`, true, true},
		{`send($1, '1', '{"h": 1}', now() + interval '1 hour')`, true, true},
		{`send_batch($1, '{1}')`, false, false},
		{`send_batch($1, '{1}', ARRAY['{"h": 1}']::jsonb[])`, true, false},
		{`send_batch($1, '{1}', 3600)`, false, true},
		{`send_batch($1, '{1}', now() + interval '1 hour')`, false, true},
		{`send_batch($1, '{1}', ARRAY['{"h": 1}']::jsonb[], 3600)`, true, true},
		{`send_batch($1, '{1}', ARRAY['{"h": 1}']::jsonb[], now() + interval '1 hour')`, true, true},
	} {
		id := check.Value[int64](t, pgtest.Pool(), `SELECT pgmq.`+form.call, q.Name())
		stored := func(what string, want bool) {
			t.Helper()
			check.Equal(t, form.call+": "+what, check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT `+what+` FROM {Q} WHERE msg_id = $1`), id), want)
		}
		stored(`message = '1'`, true)
		stored(`headers IS NOT DISTINCT FROM '{"h": 1}'`, form.headers)
		stored(`headers IS NULL`, !form.headers)
		stored(`vt BETWEEN now() + interval '59 min' AND now() + interval '61 min'`, form.hidden)
		stored(`vt <= now()`, !form.hidden)
	}
}

func TestEveryFormOfSetVTTakesItsTime(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 1)
	for _, form := range []string{`1::bigint, 3600`, `1::bigint, now() + interval '1 hour'`, `ARRAY[1::bigint], 3600`, `ARRAY[1::bigint], now() + interval '1 hour'`} {
		check.Exec(t, pgtest.Pool(), `SELECT pgmq.set_vt($1, 1::bigint, 0)`, q.Name())
		check.Equal(t, form+" hides for an hour", check.Value[bool](t, pgtest.Pool(),
			`SELECT vt BETWEEN now() + interval '59 min' AND now() + interval '61 min' FROM pgmq.set_vt($1, `+form+`)`, q.Name()), true)
	}
}

func TestEachPollReadsAsItsFunctionDoes(t *testing.T) {
	check.Parallel(t)
	for function, want := range map[string][]int64{
		"read": {1, 2, 3}, "read_grouped": {1, 3, 2}, "read_grouped_rr": {1, 2, 3}, "read_grouped_head": {1, 2},
	} {
		q := pgtest.Queue[int](t)
		for _, group := range []string{"a", "b", "a"} {
			check.Send(t, q, 1, queue.Headers{"x-pgmq-group": group})
		}
		check.EqualAll(t, function, check.Values[int64](t, pgtest.Pool(), `SELECT msg_id FROM pgmq.`+function+`_with_poll($1, 3600, 10)`, q.Name()), want)
	}
}
