package tests

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
)

// beforeFirstRelease makes a database at version 22 of the history from before
// the first release, with messages.
func beforeFirstRelease(t testing.TB) *pgxpool.Pool {
	t.Helper()
	file, err := os.Open("testdata/before_first_release.sql.gz")
	ok(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	ok(t, err)
	dump, err := io.ReadAll(unzipped)
	ok(t, err)
	pool := pgtest.Database(t)
	conn, err := pool.Acquire(t.Context())
	ok(t, err)
	exec(t, conn, string(dump))
	ok(t, conn.Conn().Close(t.Context())) // its search_path is the dump's
	conn.Release()
	return pool
}

// described is the catalogue with comments, settings and privileges of functions,
// and without the version table's column of times.
func described(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	return append(catalogue(t, pool), values[string](t, pool, `
		SELECT 'comment ' || pg_describe_object(classoid, objoid, objsubid) || ': ' || description FROM pg_description
		WHERE pg_describe_object(classoid, objoid, objsubid) ~ '\mpgmq\.'
		UNION ALL SELECT 'privileges ' || oid::regprocedure || ' ' || proacl::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND proacl IS NOT NULL
		UNION ALL SELECT 'version ' || version_id FROM `+schema.VersionTable+`
		ORDER BY 1`)...)
}

// alike fails the test with what one list has and the other has not.
func alike(t testing.TB, what string, got, want []string) {
	t.Helper()
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: beyond: %s", what, line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: missing: %s", what, line)
		}
	}
}

func TestADatabaseFromBeforeTheFirstReleaseIsCarriedOver(t *testing.T) {
	t.Parallel()
	ctx, pool, fresh := t.Context(), beforeFirstRelease(t), pgtest.Database(t)
	pgtest.Migrate(t, fresh)
	testdata(t, fresh, "before_first_release")
	before := kept(t, pool)

	ok(t, schema.Rebaseline(ctx, sqlDB(t, pool)))
	keeps(t, pool, before)
	alike(t, "what it has become", described(t, pool), described(t, fresh))
	ok(t, schema.Migrate(ctx, sqlDB(t, pool)))
	ok(t, schema.Rebaseline(ctx, sqlDB(t, pool))) // again: nothing to do
	alike(t, "after that", described(t, pool), described(t, fresh))

	// Through the new functions, with the state of the old ones.
	q := open[map[string]any](t, pool, "orders")
	equal(t, "visible messages", len(read(t, q, 9)), 4)
	l := listenIn(t, pool, "MyQueue")
	exec(t, pool, `SELECT pgmq.read('MyQueue', 0, 99)`) // finds less, so that the next message notifies
	sendSQL(t, pool, "MyQueue")
	sendSQL(t, pool, "MyQueue")
	equal(t, "notifications within the interval", l.heard(t), 1)
	equal(t, "messages of a partitioned queue", len(values[int64](t, pool, `SELECT msg_id FROM pgmq.read('parted', 30, 99)`)), 12)
	equal(t, "copies", value[int](t, pool, `SELECT pgmq.send_topic('orders.x', '{}')`), 2)

	told := poolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["pgmq.drop_messages"] = "on" })
	ok(t, schema.Remove(ctx, sqlDB(t, told)))
}

// Revoked is revoked and granted is granted, under whatever name.
func TestTheRebaselineKeepsPrivileges(t *testing.T) {
	t.Parallel()
	pool := beforeFirstRelease(t)
	exec(t, pool, `REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq FROM PUBLIC; REVOKE SELECT ON pgmq.q_orders FROM pg_monitor`)
	exec(t, pool, `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq TO pg_read_all_stats; GRANT SELECT, INSERT ON pgmq.q_orders TO pg_read_all_stats`)
	const tables = `SELECT oid::regclass || ' ' || relacl::text FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relkind IN ('r', 'p') AND relacl IS NOT NULL ORDER BY 1`
	before := values[string](t, pool, tables)
	ok(t, schema.Rebaseline(t.Context(), sqlDB(t, pool)))
	same(t, "privileges on tables", values[string](t, pool, tables), before)
	same(t, "functions that everybody may call", values[string](t, pool, `
		SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE') AND prokind = 'f'`), nil)
	same(t, "functions that the role may not call", values[string](t, pool, `
		SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND NOT has_function_privilege('pg_read_all_stats', oid, 'EXECUTE')`), nil)
}

// The numbers of the old history are numbers of the present one, too.
func TestEveryVersionOfTheOldHistoryIsRefused(t *testing.T) {
	t.Parallel()
	pool := beforeFirstRelease(t)
	ctx, db := t.Context(), sqlDB(t, pool)
	for version := 22; version > 0; version-- {
		exec(t, pool, `DELETE FROM `+schema.VersionTable+` WHERE version_id > $1`, version)
		before := described(t, pool)
		// All ways that lead to versions.
		p := provider(t, pool)
		_, upErr := p.Up(ctx)
		_, downErr := p.Down(ctx)
		_, versionErr := p.GetDBVersion(ctx)
		_, statusErr := p.Status(ctx)
		_, pendingErr := p.HasPending(ctx)
		for _, err := range []error{
			schema.Check(ctx, db), schema.Migrate(ctx, db), schema.Remove(ctx, db), upErr, downErr, versionErr, statusErr, pendingErr,
		} {
			equal(t, "version", as[*schema.OldHistoryError](t, err).Version, int64(version))
			contains(t, err.Error(), "pgmq migrate rebaseline")
		}
		if version < 22 {
			equal(t, "version", as[*schema.OldHistoryError](t, schema.Rebaseline(ctx, db)).Version, int64(version))
		}
		alike(t, "the database", described(t, pool), before)
	}
	exec(t, pool, `DELETE FROM `+schema.VersionTable+` WHERE version_id > 0`)
	ok(t, schema.Check(ctx, db))
}

// Otherwise a database on its way up or down would be taken for an old one.
func TestNoVersionOfThePresentHistoryIsTakenForAnOldOne(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	ctx, db, p := t.Context(), sqlDB(t, pool), provider(t, pool)
	ok(t, schema.Check(ctx, db))
	for range p.ListSources() {
		_, err := p.UpByOne(ctx)
		ok(t, err)
		ok(t, schema.Check(ctx, db))
	}
	ok(t, schema.Rebaseline(ctx, db))
	for range p.ListSources() {
		_, err := p.Down(ctx)
		ok(t, err)
		ok(t, schema.Check(ctx, db))
	}
}

func TestTheCommandSaysHowToGoOnFromTheOldHistory(t *testing.T) {
	t.Parallel()
	pgmq, pool, byHand := command(t), beforeFirstRelease(t), beforeFirstRelease(t)
	url := "--database-url=" + dsn(pool)
	for _, args := range [][]string{{"up"}, {"up", "--dry-run"}, {"status"}, {"status", "--json"}, {"down"}, {"down", "--all"}} {
		failure(t, pgmq(append(append([]string{"migrate"}, args...), url)...), 1,
			`schema pgmq is at version 22 of the history before the first release: run "pgmq migrate rebaseline", which keeps queues and messages`)
	}
	doctor, _ := pgmq("doctor", url).CombinedOutput()
	contains(t, string(doctor), "before the first release", "pgmq migrate rebaseline")

	script := output(t, pgmq("migrate", "rebaseline", "--dry-run", url))
	contains(t, output(t, pgmq("migrate", "rebaseline", url)), "schema pgmq is at version ", "of the present history")
	contains(t, output(t, pgmq("migrate", "up", url)), "nothing to do")
	exec(t, byHand, script)
	alike(t, "by hand", described(t, byHand), described(t, pool))
	_, err := byHand.Exec(t.Context(), script)
	sqlState(t, err, "55000")
}

func TestEightProcessesMayRebaselineAtOnce(t *testing.T) {
	t.Parallel()
	pool := beforeFirstRelease(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		db := sqlDB(t, poolLike(t, pool, func(c *pgxpool.Config) { c.MaxConns = 1 }))
		wg.Go(func() { errs[i] = schema.Rebaseline(context.WithoutCancel(t.Context()), db) })
	}
	wg.Wait()
	for _, err := range errs {
		ok(t, err)
	}
	equal(t, "old functions", value[int](t, pool, `SELECT count(*)::int FROM pg_proc WHERE proname IN ('_retire', '_wake', '_bury')`), 0)
	equal(t, "version", strings.Join(values[string](t, pool, `SELECT max(version_id)::text FROM `+schema.VersionTable), " "), "14")
}
