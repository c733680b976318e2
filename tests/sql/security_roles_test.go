package sql

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// contents returns the contents of every table of schema pgmq, up to an id in the queues.
func contents(t testing.TB, pool *pgxpool.Pool, upTo int64) []string {
	t.Helper()
	var all []string
	for _, table := range check.Values[string](t, pool, `
		SELECT relname::text FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1`) {
		all = append(all, table+": "+check.Value[string](t, pool, `
			SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')
			FROM pgmq.`+pgx.Identifier{table}.Sanitize()+` AS t
			WHERE coalesce((to_jsonb(t)->>'msg_id')::bigint, 0) <= $1`, upTo))
	}
	return all
}

// No function, new ones included, lets a role do more than its grants say: roles without
// write privileges change nothing, and a producer changes no existing row.
func TestNoFunctionDoesMoreThanTheRoleMay(t *testing.T) {
	check.Parallel(t)
	const sent = 5
	for _, kind := range []string{"nobody", "Monitor", "Auditor", "Producer"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			pool := check.OwnDatabase(t)
			check.Exec(t, pool, `SELECT pgmq.create('q'), pgmq.create_partitioned('parts', '10', '100'), pgmq.bind_topic('a.*', 'q'), pgmq.enable_notify_insert('q')`)
			check.Exec(t, pool, `SELECT pgmq.send_batch('q', array_fill('{"a": 1}'::jsonb, ARRAY[$1::int])), pgmq.archive('q', 1::bigint)`, sent)
			limited := check.RoleOn(t, pool, "nobody", "GRANT USAGE ON SCHEMA pgmq")
			if kind != "nobody" {
				limited = check.DocumentedOn(t, pool, "q", kind)
			}
			before, catalogueBefore := contents(t, pool, sent), check.Catalogue(t, pool)
			row := check.Value[string](t, pool, aPartitionedTable)
			for _, f := range functions(t, pool) {
				f.call(t, limited, f.benign(t, row))
			}
			check.Same(t, "what the tables hold", contents(t, pool, sent), before)
			check.Same(t, "the catalogue", check.Catalogue(t, pool), catalogueBefore)
			if all := check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.q_q`); (all > sent-1) != (kind == "Producer") {
				t.Errorf("there are %d messages, of which %d were there before", all, sent-1)
			}
		})
	}
}
