package migrate

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// beforeFirstRelease makes a database at version 22 of the history from before
// the first release, with messages.
func beforeFirstRelease(t testing.TB) *pgxpool.Pool {
	t.Helper()
	file, err := os.Open("testdata/before_first_release.sql.gz")
	check.OK(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	check.OK(t, err)
	dump, err := io.ReadAll(unzipped)
	check.OK(t, err)
	pool := pgtest.Database(t)
	conn, err := pool.Acquire(t.Context())
	check.OK(t, err)
	check.Exec(t, conn, string(dump))
	check.OK(t, conn.Conn().Close(t.Context())) // its search_path is the dump's
	conn.Release()
	return pool
}

// described is the catalogue with comments, settings and privileges of functions,
// and without the version table's column of times.
func described(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	all := append(check.Catalogue(t, pool), check.Values[string](t, pool, `
		SELECT 'comment ' || pg_describe_object(classoid, objoid, objsubid) || ': ' || description FROM pg_description
		WHERE pg_describe_object(classoid, objoid, objsubid) ~ '\mpgmq\.'
		UNION ALL SELECT 'privileges ' || oid::regprocedure || ' ' || proacl::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND proacl IS NOT NULL
		UNION ALL SELECT 'version ' || version_id FROM `+schema.VersionTable+`
		ORDER BY 1`)...)
	// Partitioned tables keep their indexes on msg_id: carrying over locks no queue.
	key := regexp.MustCompile(`[qa]_parted\S*_(pkey|msg_id_idx|part_idx)`)
	return slices.DeleteFunc(all, key.MatchString)
}

// alike fails the test with the entries that only one list has.
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
	check.Parallel(t)
	ctx, pool, fresh := t.Context(), beforeFirstRelease(t), pgtest.Database(t)
	pgtest.Migrate(t, fresh)
	check.ExecFile(t, fresh, "before_first_release")
	before := kept(t, pool)

	check.OK(t, schema.Rebaseline(ctx, check.SQLDB(t, pool)))
	keeps(t, pool, before)
	alike(t, "what it has become", described(t, pool), described(t, fresh))
	check.OK(t, schema.Migrate(ctx, check.SQLDB(t, pool)))
	check.OK(t, schema.Rebaseline(ctx, check.SQLDB(t, pool))) // again: nothing to do
	alike(t, "after that", described(t, pool), described(t, fresh))

	// Through the new functions, with the state of the old ones.
	q := check.Open[map[string]any](t, pool, "orders")
	check.Equal(t, "visible messages", len(check.Read(t, q, 9)), 4)
	l := check.ListenTo(t, pool, "MyQueue")
	check.Exec(t, pool, `SELECT pgmq.read('MyQueue', 0, 99)`) // finds less, so that the next message notifies
	check.Exec(t, pool, `SELECT pgmq.send('MyQueue', '1')`)
	check.Exec(t, pool, `SELECT pgmq.send('MyQueue', '1')`)
	check.Equal(t, "notifications within the interval", l.Heard(t), 1)
	check.Equal(t, "messages of a partitioned queue", len(check.Values[int64](t, pool, `SELECT msg_id FROM pgmq.read('parted', 30, 99)`)), 12)
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic('orders.x', '{}')`), 2)

	told := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["pgmq.drop_messages"] = "on" })
	check.OK(t, schema.Remove(ctx, check.SQLDB(t, told)))
}

// Revoked is revoked and granted is granted, under any name.
func TestTheRebaselineKeepsPrivileges(t *testing.T) {
	check.Parallel(t)
	pool := beforeFirstRelease(t)
	check.Exec(t, pool, `REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq FROM PUBLIC; REVOKE SELECT ON pgmq.q_orders FROM pg_monitor`)
	check.Exec(t, pool, `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq TO pg_read_all_stats; GRANT SELECT, INSERT ON pgmq.q_orders TO pg_read_all_stats`)
	const tables = `SELECT oid::regclass || ' ' || relacl::text FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relkind IN ('r', 'p') AND relacl IS NOT NULL ORDER BY 1`
	before := check.Values[string](t, pool, tables)
	newest := check.Value[uint32](t, pool, `SELECT max(oid) FROM pg_proc`)
	check.OK(t, schema.Rebaseline(t.Context(), check.SQLDB(t, pool)))
	check.Same(t, "privileges on tables", check.Values[string](t, pool, tables), before)
	// _listeners_notified was made anew; the other new ones were not there to be revoked.
	check.Same(t, "functions that everybody may call", check.Values[string](t, pool, `
		SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE') AND prokind = 'f'
			AND (oid <= $1 OR proname = '_listeners_notified')`, newest), nil)
	check.Same(t, "functions that the role may not call", check.Values[string](t, pool, `
		SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND NOT has_function_privilege('pg_read_all_stats', oid, 'EXECUTE')`), nil)
}

// The numbers of the old history are numbers of the present one, too.
func TestEveryVersionOfTheOldHistoryIsRefused(t *testing.T) {
	check.Long(t)
	pool := beforeFirstRelease(t)
	ctx, db := t.Context(), check.SQLDB(t, pool)
	for version := 22; version > 0; version-- {
		check.Exec(t, pool, `DELETE FROM `+schema.VersionTable+` WHERE version_id > $1`, version)
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
			check.Equal(t, "version", check.As[*schema.OldHistoryError](t, err).Version, int64(version))
			check.Contains(t, err.Error(), "pgmq migrate rebaseline")
		}
		if version < 22 {
			check.Equal(t, "version", check.As[*schema.OldHistoryError](t, schema.Rebaseline(ctx, db)).Version, int64(version))
		}
		alike(t, "the database", described(t, pool), before)
	}
	check.Exec(t, pool, `DELETE FROM `+schema.VersionTable+` WHERE version_id > 0`)
	check.OK(t, schema.Check(ctx, db))
}

// Otherwise a database on its way up or down would be taken for an old one.
func TestNoVersionOfThePresentHistoryIsTakenForAnOldOne(t *testing.T) {
	check.Long(t)
	pool := pgtest.Database(t)
	ctx, db, p := t.Context(), check.SQLDB(t, pool), provider(t, pool)
	check.OK(t, schema.Check(ctx, db))
	for range p.ListSources() {
		_, err := p.UpByOne(ctx)
		check.OK(t, err)
		check.OK(t, schema.Check(ctx, db))
	}
	check.OK(t, schema.Rebaseline(ctx, db))
	for range p.ListSources() {
		_, err := p.Down(ctx)
		check.OK(t, err)
		check.OK(t, schema.Check(ctx, db))
	}
}

func TestTheCommandSaysHowToGoOnFromTheOldHistory(t *testing.T) {
	check.Parallel(t)
	pgmq, pool, byHand := check.Command(t), beforeFirstRelease(t), beforeFirstRelease(t)
	url := "--database-url=" + check.DSN(pool)
	for _, args := range [][]string{{"up"}, {"up", "--dry-run"}, {"status"}, {"status", "--json"}, {"down"}, {"down", "--all"}} {
		check.Failure(t, pgmq(append(append([]string{"migrate"}, args...), url)...), 1,
			`schema pgmq is at version 22 of the history before the first release: run "pgmq migrate rebaseline", which keeps queues and messages`)
	}
	doctor, _ := pgmq("doctor", url).CombinedOutput()
	check.Contains(t, string(doctor), "before the first release", "pgmq migrate rebaseline")

	script := check.Output(t, pgmq("migrate", "rebaseline", "--dry-run", url))
	check.Contains(t, check.Output(t, pgmq("migrate", "rebaseline", url)), "schema pgmq is at version ", "of the present history")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "nothing to do")
	check.Exec(t, byHand, script)
	alike(t, "by hand", described(t, byHand), described(t, pool))
	_, err := byHand.Exec(t.Context(), script)
	check.SQLState(t, err, "55000")
}

func TestEightProcessesMayRebaselineAtOnce(t *testing.T) {
	check.Parallel(t)
	pool := beforeFirstRelease(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		db := check.SQLDB(t, check.PoolLike(t, pool, func(c *pgxpool.Config) { c.MaxConns = 1 }))
		wg.Go(func() { errs[i] = schema.Rebaseline(context.WithoutCancel(t.Context()), db) })
	}
	wg.Wait()
	for _, err := range errs {
		check.OK(t, err)
	}
	check.Equal(t, "old functions", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_proc WHERE proname IN ('_retire', '_wake', '_bury')`), 0)
	check.Equal(t, "version", strings.Join(check.Values[string](t, pool, `SELECT max(version_id)::text FROM `+schema.VersionTable), " "), "14")
}
