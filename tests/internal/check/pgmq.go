package check

import (
	"embed"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// PGMQVersions are those whose layouts are in testdata. Each builds on the one before.
var PGMQVersions = []string{"1.4", "1.5", "1.8", "1.10", "1.13"}

//go:embed testdata
var testdata embed.FS

// Testdata returns the text of a file in testdata.
func Testdata(t testing.TB, name string) string {
	t.Helper()
	text, err := testdata.ReadFile("testdata/" + name)
	OK(t, err)
	return string(text)
}

// ExecFile runs a file in testdata, whose name it takes without ".sql".
func ExecFile(t testing.TB, pool *pgxpool.Pool, name string) {
	t.Helper()
	Exec(t, pool, Testdata(t, name+".sql"))
}

// InstallPGMQ makes a database that has PGMQ of a version, came to it through
// every version before, and has messages since 1.4.
func InstallPGMQ(t testing.TB, pool *pgxpool.Pool, version string) {
	t.Helper()
	BringPGMQ(t, pool, version, func(v string) { ExecFile(t, pool, "pgmq_"+v) })
}

// BringPGMQ is InstallPGMQ with another way to bring a version.
func BringPGMQ(t testing.TB, pool *pgxpool.Pool, version string, bring func(version string)) {
	t.Helper()
	for _, v := range PGMQVersions[:slices.Index(PGMQVersions, version)+1] {
		bring(v)
		if v == "1.4" {
			ExecFile(t, pool, "pgmq_data")
		}
	}
	// A queue that this version made.
	Exec(t, pool, `SELECT pgmq.create('latest'); SELECT pgmq.send('latest', '{"n": 1}'); SELECT pgmq.read('latest', 600, 1)`)
	if slices.Index(PGMQVersions, version) >= slices.Index(PGMQVersions, "1.8") {
		Exec(t, pool, `SELECT pgmq.create_fifo_index('orders'); SELECT pgmq.enable_notify_insert('orders', 0); SELECT pgmq.enable_notify_insert('MyQueue', 500)`)
	}
	if version == "1.13" {
		Exec(t, pool, `SELECT pgmq.bind_topic('orders.*', 'orders'), pgmq.bind_topic('#', 'MyQueue')`)
	}
	ExecFile(t, pool, "pgmq_dependants")
}

// Lines returns the lines of a file in testdata that say something, sorted.
func Lines(t testing.TB, file string) []string {
	t.Helper()
	all := slices.DeleteFunc(strings.Split(Testdata(t, file), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	})
	slices.Sort(all)
	return all
}

// API lists the objects of the database that clients of PGMQ can see; private functions
// only where PGMQ has them, too.
const API = `
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
