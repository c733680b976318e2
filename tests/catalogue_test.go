package tests

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// lines returns the lines of a file in testdata that say something, sorted.
func lines(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	ok(t, err)
	all := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	})
	slices.Sort(all)
	return all
}

// api is what clients of PGMQ can see of the database; private functions only
// where PGMQ has them, too.
const api = `
	SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') -> ' || coalesce(pg_get_function_result(p.oid), 'procedure')
		|| CASE p.provolatile WHEN 'i' THEN ' immutable' WHEN 's' THEN ' stable' ELSE '' END
		|| CASE WHEN p.proisstrict THEN ' strict' ELSE '' END || CASE WHEN p.prosecdef THEN ' security definer' ELSE '' END
	FROM pg_proc AS p
	WHERE p.pronamespace = 'pgmq'::regnamespace
	UNION ALL
	SELECT c.relname || ': ' || string_agg(
		a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
		|| CASE WHEN a.attgenerated = 's' THEN ' generated' ELSE coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') END,
		', ' ORDER BY a.attnum)
	FROM pg_class AS c
	JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE c.relnamespace = 'pgmq'::regnamespace
		AND (c.relkind = 'c' OR c.relname IN ('meta', 'notify_insert_throttle', 'topic_bindings'))
	GROUP BY c.relname
	UNION ALL
	SELECT 'constraint ' || conname FROM pg_constraint WHERE connamespace = 'pgmq'::regnamespace
	UNION ALL
	SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = 'pgmq'`

func TestTheAPIIsPGMQs(t *testing.T) {
	t.Parallel()
	pgmqs, additions := lines(t, "pgmq-1.13.1.txt"), lines(t, "additions.txt")
	equal(t, "functions of PGMQ 1.13.1", len(slices.DeleteFunc(slices.Clone(pgmqs), func(line string) bool {
		return !strings.Contains(line, " -> ")
	})), 76)
	there := values[string](t, pgtest.Pool(), api)
	for _, line := range slices.Concat(pgmqs, additions) {
		if !slices.Contains(there, line) {
			t.Errorf("the database lacks\n%s", line)
		}
	}
	for _, line := range there {
		known := slices.Contains(pgmqs, line) || slices.Contains(additions, line)
		if public := strings.Contains(line, " -> ") && line[0] != '_'; public && !known {
			t.Errorf("the database has beyond the lists\n%s", line)
		}
	}
}

func TestEveryPublicFunctionIsExplained(t *testing.T) {
	t.Parallel()
	same(t, "functions without a comment", values[string](t, pgtest.Pool(), `
		SELECT oid::regprocedure::text FROM pg_proc
		WHERE pronamespace = 'pgmq'::regnamespace AND left(proname, 1) <> '_' AND obj_description(oid, 'pg_proc') IS NULL
		ORDER BY 1`), nil)
}
