package sql

import (
	"slices"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// everyCall calls every function that takes the name of a queue, in an order in
// which each finds what it needs.
var everyCall = []struct{ function, sql string }{
	{"validate_queue_name(text)", `SELECT pgmq.validate_queue_name($1)`},
	{"format_table_name(text,text)", `SELECT pgmq.format_table_name($1, 'q')`},
	{"acquire_queue_lock(text)", `SELECT pgmq.acquire_queue_lock($1)`},
	{"create(text)", `SELECT pgmq.create($1)`},
	{"create_non_partitioned(text)", `SELECT pgmq.create_non_partitioned($1)`},
	{"create_unlogged(text)", `SELECT pgmq.create_unlogged($1)`},
	{"create_fifo_index(text)", `SELECT pgmq.create_fifo_index($1)`},
	{"enable_notify_insert(text,integer)", `SELECT pgmq.enable_notify_insert($1)`},
	{"update_notify_insert(text,integer)", `SELECT pgmq.update_notify_insert($1, 100)`},
	{"bind_topic(text,text)", `SELECT pgmq.bind_topic('a.*', $1)`},
	{"list_topic_bindings(text)", `SELECT pgmq.list_topic_bindings($1)`},
	{"send(text,jsonb)", `SELECT pgmq.send($1, '1')`},
	{"send(text,jsonb,jsonb)", `SELECT pgmq.send($1, '1', '{}'::jsonb)`},
	{"send(text,jsonb,integer)", `SELECT pgmq.send($1, '1', 0)`},
	{"send(text,jsonb,timestamp with time zone)", `SELECT pgmq.send($1, '1', now())`},
	{"send(text,jsonb,jsonb,integer)", `SELECT pgmq.send($1, '1', '{}', 0)`},
	{"send(text,jsonb,jsonb,timestamp with time zone)", `SELECT pgmq.send($1, '1', '{}', now())`},
	{"send_batch(text,jsonb[])", `SELECT pgmq.send_batch($1, '{1}')`},
	{"send_batch(text,jsonb[],jsonb[])", `SELECT pgmq.send_batch($1, '{1}', '{"{}"}'::jsonb[])`},
	{"send_batch(text,jsonb[],integer)", `SELECT pgmq.send_batch($1, '{1}', 0)`},
	{"send_batch(text,jsonb[],timestamp with time zone)", `SELECT pgmq.send_batch($1, '{1}', now())`},
	{"send_batch(text,jsonb[],jsonb[],integer)", `SELECT pgmq.send_batch($1, '{1}', '{"{}"}', 0)`},
	{"send_batch(text,jsonb[],jsonb[],timestamp with time zone)", `SELECT pgmq.send_batch($1, '{1}', '{"{}"}', now())`},
	{"read(text,integer,integer,jsonb)", `SELECT pgmq.read($1, 0, 1)`},
	{"read_with_poll(text,integer,integer,integer,integer,jsonb)", `SELECT pgmq.read_with_poll($1, 0, 1)`},
	{"read_grouped(text,integer,integer)", `SELECT pgmq.read_grouped($1, 0, 1)`},
	{"read_grouped_rr(text,integer,integer)", `SELECT pgmq.read_grouped_rr($1, 0, 1)`},
	{"read_grouped_head(text,integer,integer)", `SELECT pgmq.read_grouped_head($1, 0, 1)`},
	{"read_grouped_with_poll(text,integer,integer,integer,integer)", `SELECT pgmq.read_grouped_with_poll($1, 0, 1)`},
	{"read_grouped_rr_with_poll(text,integer,integer,integer,integer)", `SELECT pgmq.read_grouped_rr_with_poll($1, 0, 1)`},
	{"read_grouped_head_with_poll(text,integer,integer,integer,integer)", `SELECT pgmq.read_grouped_head_with_poll($1, 0, 1)`},
	{"set_vt(text,bigint,integer)", `SELECT pgmq.set_vt($1, 1::bigint, 0)`},
	{"set_vt(text,bigint,timestamp with time zone)", `SELECT pgmq.set_vt($1, 1::bigint, now())`},
	{"set_vt(text,bigint[],integer)", `SELECT pgmq.set_vt($1, '{1}'::bigint[], 0)`},
	{"set_vt(text,bigint[],timestamp with time zone)", `SELECT pgmq.set_vt($1, '{1}'::bigint[], now())`},
	{"pop(text,integer)", `SELECT pgmq.pop($1)`},
	{"delete(text,bigint)", `SELECT pgmq.delete($1, 2::bigint)`},
	{"delete(text,bigint[])", `SELECT pgmq.delete($1, '{3}'::bigint[])`},
	{"archive(text,bigint)", `SELECT pgmq.archive($1, 4::bigint)`},
	{"archive(text,bigint[])", `SELECT pgmq.archive($1, '{5}'::bigint[])`},
	{"metrics(text)", `SELECT pgmq.metrics($1)`},
	{"purge_queue(text)", `SELECT pgmq.purge_queue($1)`},
	{"unbind_topic(text,text)", `SELECT pgmq.unbind_topic('a.*', $1)`},
	{"disable_notify_insert(text)", `SELECT pgmq.disable_notify_insert($1)`},
	{"detach_archive(text)", `SELECT pgmq.detach_archive($1)`},
	{"drop_queue(text)", `SELECT pgmq.drop_queue($1)`},
	{"create_partitioned(text,text,text,integer)", `SELECT pgmq.create_partitioned($1, '10', '100', 1)`},
	{"convert_archive_partitioned(text,text,text,integer)", `SELECT pgmq.convert_archive_partitioned($1)`}, // it is partitioned
	{"set_partition_retention(text,text,boolean)", `SELECT pgmq.set_partition_retention($1, '50')`},
	{"maintain_partitions(text)", `CALL pgmq.maintain_partitions($1)`},
	{"drop_queue(text,boolean)", `SELECT pgmq.drop_queue($1, true)`},
}

func TestEveryFunctionTakesEveryName(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	var called []string
	for _, call := range everyCall {
		called = append(called, call.function)
	}
	slices.Sort(called)
	check.Same(t, "functions that take a queue's name", check.Values[string](t, pool, `
		SELECT proname || '(' || array_to_string(ARRAY(SELECT format_type(type, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS a (type, ord) ORDER BY ord), ',') || ')' COLLATE "C"
		FROM pg_proc
		WHERE pronamespace = 'pgmq'::regnamespace AND left(proname, 1) <> '_' AND proargnames[:pronargs] && '{queue_name, table_name}'
		ORDER BY 1`), called)

	// Another queue, whose name begins and ends alike, feels nothing of it.
	const bystander = "bystander"
	check.Exec(t, pool, `SELECT pgmq.create($1)`, bystander)
	check.Exec(t, pool, `SELECT pgmq.send($1, '1'), pgmq.bind_topic('b.*', $1), pgmq.enable_notify_insert($1)`, bystander)
	before := check.Catalogue(t, pool)
	for _, name := range everyName {
		for _, call := range everyCall {
			if _, err := pool.Exec(t.Context(), call.sql, name); err != nil {
				t.Errorf("%s for %q: %v", call.function, name, err)
			}
		}
	}
	check.Same(t, "the database afterwards", check.Catalogue(t, pool), before)
	for _, table := range []string{"meta", "topic_bindings", "notify_insert_throttle"} {
		check.Same(t, "queues in "+table, check.Values[string](t, pool, `SELECT queue_name FROM pgmq.`+table), []string{bystander})
	}
	check.Equal(t, "the other queue's messages", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.q_bystander WHERE read_ct = 0`), 1)
}
