package sql

import (
	"slices"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestEveryFunctionTakesEveryName(t *testing.T) {
	check.Long(t)
	pool := check.OwnDatabase(t)
	var called []string
	for _, call := range check.EveryCall {
		called = append(called, call.Function)
	}
	slices.Sort(called)
	check.Same(t, "functions that take a queue's name", check.Values[string](t, pool, `
		SELECT proname || '(' || array_to_string(ARRAY(SELECT format_type(type, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS a (type, ord) ORDER BY ord), ',') || ')' COLLATE "C"
		FROM pg_proc
		WHERE pronamespace = 'pgmq'::regnamespace AND left(proname, 1) <> '_' AND proargnames[:pronargs] && '{queue_name, table_name}'
		ORDER BY 1`), called)

	// Another queue, whose name begins and ends alike, is unchanged.
	const bystander = "bystander"
	check.Exec(t, pool, `SELECT pgmq.create($1)`, bystander)
	check.Exec(t, pool, `SELECT pgmq.send($1, '1'), pgmq.bind_topic('b.*', $1), pgmq.enable_notify_insert($1)`, bystander)
	before := check.Catalogue(t, pool)
	for _, name := range everyName {
		for _, call := range check.EveryCall {
			if _, err := pool.Exec(t.Context(), call.SQL, name); err != nil {
				t.Errorf("%s for %q: %v", call.Function, name, err)
			}
		}
	}
	check.Same(t, "the database afterwards", check.Catalogue(t, pool), before)
	for _, table := range []string{"meta", "topic_bindings", "notify_insert_throttle"} {
		check.Same(t, "queues in "+table, check.Values[string](t, pool, `SELECT queue_name FROM pgmq.`+table), []string{bystander})
	}
	check.Equal(t, "the other queue's messages", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.q_bystander WHERE read_ct = 0`), 1)
}
