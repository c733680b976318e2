package sql

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// routes makes a database whose queue "bound" only this test binds: the keys of
// others match patterns bound here. Autovacuum does not analyze the bindings.
func routes(t testing.TB) *pgxpool.Pool {
	t.Helper()
	database := pgtest.Database(t)
	pgtest.Migrate(t, database)
	check.OK(t, admin.Create(t.Context(), database, "bound"))
	check.Exec(t, database, `ALTER TABLE pgmq.topic_bindings SET (autovacuum_enabled = off)`)
	return check.PoolLike(t, database, func(c *pgxpool.Config) { c.MaxConns = 1 }) // one session: its plans stay
}

// The index only leaves out bindings that cannot match.
func TestRoutingByTheIndexIsRoutingByEveryExpression(t *testing.T) {
	check.Parallel(t)
	pool, name := routes(t), "bound"
	random := rand.New(rand.NewPCG(1, 2))
	word := func(letters string) string {
		var text strings.Builder
		for range 1 + random.IntN(7) {
			text.WriteByte(letters[random.IntN(len(letters))])
		}
		return text.String()
	}
	for range 600 {
		// Texts that are no pattern are refused, as they should be.
		_, _ = pool.Exec(t.Context(), `SELECT pgmq.bind_topic($1, $2)`, word("aab..*#"), name)
	}
	matched := 0
	for range 300 {
		key := word("aab.")
		if _, err := pool.Exec(t.Context(), `SELECT pgmq.validate_routing_key($1)`, key); err != nil {
			continue
		}
		got := check.Values[string](t, pool, `SELECT pattern FROM pgmq.test_routing($1) ORDER BY pattern`, key)
		want := check.Values[string](t, pool, `SELECT pattern FROM pgmq.topic_bindings WHERE $1 ~ compiled_regex ORDER BY pattern`, key)
		check.Same(t, "patterns of "+key, got, want)
		matched += len(want)
	}
	if matched < 100 {
		t.Fatalf("only %d matches", matched)
	}
}

// However the planner is misled, the rows that are looked at are those that
// begin and end as the key does, and one for each of its beginnings.
func TestRoutingLooksAtFewBindings(t *testing.T) {
	check.Parallel(t)
	const (
		key    = "orders.k77.created"
		probes = len(key) + 1
	)
	looked := func(t *testing.T, db check.Querier) int {
		t.Helper()
		return check.Value[int](t, db, `
			SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int
			FROM (
				SELECT 'pgmq.topic_bindings'::regclass::oid UNION ALL
				SELECT indexrelid FROM pg_index WHERE indrelid = 'pgmq.topic_bindings'::regclass
			) AS relations (oid)`)
	}
	for name, c := range map[string]struct {
		pattern   string
		analyze   string // another pattern, that statistics are of
		mostly    bool   // in statistics of the table itself
		candidate int
	}{
		"exact, empty when planned":        {pattern: `CASE i WHEN 77 THEN 'orders.k77.created' ELSE 'orders.k' || i END`, candidate: 1},
		"beginning, empty when planned":    {pattern: `'orders.k' || i || '.*'`, candidate: 1},
		"end, empty when planned":          {pattern: `'*.k' || i || '.created'`, candidate: 1},
		"crossing dots, of the middle's":   {pattern: `'#.k' || i || '.created'`, analyze: `'*.' || i || '.*'`, candidate: 1},
		"inside a word, of the middle's":   {pattern: `'ord*.k' || i || '.created'`, analyze: `'*.' || i || '.*'`, candidate: 1},
		"the middle, of themselves":        {pattern: `'*.k' || i || '.*'`, mostly: true, candidate: 10000},
		"the middle, empty when planned":   {pattern: `'*.k' || i || '.*'`, candidate: 10000},
		"exact, of the middle's, vacuumed": {pattern: `CASE i WHEN 77 THEN 'orders.k77.created' ELSE 'orders.k' || i END`, analyze: `'*.' || i || '.*'`, candidate: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := routes(t)
			if c.analyze != "" {
				check.BindMany(t, pool, c.analyze, "bound")
				check.Exec(t, pool, `VACUUM ANALYZE pgmq.topic_bindings`)
				check.Exec(t, pool, `DELETE FROM pgmq.topic_bindings`)
				check.Exec(t, pool, `VACUUM pgmq.topic_bindings`)
			}
			for range 7 { // a session's plans are not thought over again
				check.Equal(t, "matches", len(check.Values[string](t, pool, `SELECT pattern FROM pgmq.test_routing($1)`, key)), 0)
			}
			check.BindMany(t, pool, c.pattern, "bound")
			if c.mostly {
				check.Exec(t, pool, `VACUUM ANALYZE pgmq.topic_bindings`)
			}
			tx, err := pool.Begin(t.Context())
			check.OK(t, err)
			defer tx.Rollback(t.Context())
			before := looked(t, tx)
			check.Equal(t, "matches", len(check.Values[string](t, tx, `SELECT pattern FROM pgmq.test_routing($1)`, key)), 1)
			// An index entry and its row count as two.
			if rows := looked(t, tx) - before; rows > 2*(c.candidate+probes) {
				t.Fatalf("%d rows were looked at", rows)
			}
		})
	}
}

// quickest is the time of the best of many runs of sql for a key.
func quickest(t testing.TB, db check.Querier, sql string) time.Duration {
	t.Helper()
	best := time.Hour
	for range 20 {
		began := time.Now()
		check.Value[int64](t, db, sql, "orders.k77.created")
		best = min(best, time.Since(began))
	}
	return best
}

// Only for a binding that LIKE lets through is an expression compiled, which
// costs a hundred times as much.
func TestRoutingCompilesFewExpressions(t *testing.T) {
	check.Parallel(t)
	pool := routes(t)
	check.BindMany(t, pool, `'*.k' || i || '.*'`, "bound") // all begin and end as any key does: with nothing
	all := quickest(t, pool, `SELECT count(*) FROM pgmq.topic_bindings WHERE $1 ~ compiled_regex`)
	few := quickest(t, pool, `SELECT count(*) FROM pgmq.test_routing($1)`)
	if few > all/3 {
		t.Fatalf("%v, where every expression takes %v", few, all)
	}
}

// Postgres' estimate for so many probes would make it compile them (jit), for
// a hundred milliseconds.
func TestRoutingIsNotCompiled(t *testing.T) {
	check.Parallel(t)
	bare := routes(t)
	with := func(jit string) time.Duration {
		return quickest(t, check.PoolLike(t, bare, func(c *pgxpool.Config) {
			c.MaxConns = 1
			c.ConnConfig.RuntimeParams["jit"] = jit
			for _, setting := range []string{"jit_above_cost", "jit_inline_above_cost", "jit_optimize_above_cost"} {
				c.ConnConfig.RuntimeParams[setting] = "15" // a call of a function that returns rows costs less
			}
		}), `SELECT count(*) FROM pgmq.test_routing($1)`)
	}
	if off, on := with("off"), with("on"); on > 10*off+10*time.Millisecond {
		t.Fatalf("routing past no bindings took %v, and %v without compiling", on, off)
	}
}

// A key that is far too long is refused before its beginnings are made, which
// would be gigabytes.
func TestALongKeyIsRefusedAtOnce(t *testing.T) {
	check.Parallel(t)
	pool := check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["statement_timeout"] = "20s" })
	for _, call := range []string{`test_routing($1)`, `send_topic($1, '1')`, `send_batch_topic($1, '{1}')`, `validate_routing_key($1)`, `bind_topic($1, 'a')`} {
		_, err := pool.Exec(t.Context(), `SELECT pgmq.`+call, strings.Repeat("k", 20000))
		check.SQLState(t, err, "P0001")
	}
}
