package tests

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/schema"
)

func sqlDB(t testing.TB, pool *pgxpool.Pool) *sql.DB {
	t.Helper()
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { db.Close() })
	return db
}

func provider(t testing.TB, pool *pgxpool.Pool) *goose.Provider {
	t.Helper()
	p, err := schema.Provider(sqlDB(t, pool))
	ok(t, err)
	return p
}

// catalogue lists everything in a database that is not Postgres' own.
func catalogue(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	return values[string](t, pool, `
		WITH own AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
		SELECT 'schema ' || nspname FROM pg_namespace WHERE oid IN (TABLE own)
		UNION ALL SELECT 'relation ' || concat_ws(' ', oid::regclass, ARRAY(SELECT unnest(reloptions) ORDER BY 1)) FROM pg_class WHERE relnamespace IN (TABLE own)
		UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indrelid WHERE relnamespace IN (TABLE own)
		UNION ALL SELECT 'column ' || concat_ws(' ', attrelid::regclass, attname, atttypid::regtype, attnotnull) FROM pg_attribute JOIN pg_class ON oid = attrelid WHERE relnamespace IN (TABLE own) AND attnum > 0
		UNION ALL SELECT 'function ' || oid::regprocedure || ' ' || md5(pg_get_functiondef(oid)) FROM pg_proc WHERE pronamespace IN (TABLE own)
		UNION ALL SELECT concat_ws(' ', 'grant of', privilege_type, 'on', c.oid::regclass, 'to', grantee::regrole)
			FROM pg_class AS c, aclexplode(relacl) WHERE relnamespace IN (TABLE own) AND grantee <> relowner
		UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE typnamespace IN (TABLE own)
		UNION ALL SELECT 'constraint ' || conname || ' on ' || conrelid::regclass FROM pg_constraint WHERE connamespace IN (TABLE own)
		UNION ALL SELECT 'default privileges' FROM pg_default_acl
		UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
		ORDER BY 1`)
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n%s\ninstead of\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestUpDownToZeroAndUpAgainLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), pgtest.Database(t)
	empty := catalogue(t, pool)

	p := provider(t, pool)
	at := map[int64][]string{} // what each version makes of an empty database
	for range p.ListSources() {
		result, err := p.UpByOne(ctx)
		ok(t, err)
		at[result.Source.Version] = catalogue(t, pool)
	}
	up := catalogue(t, pool)

	// Every step alone, down and up again, with queues that come and go.
	for {
		version, err := p.GetDBVersion(ctx)
		ok(t, err)
		if version == 0 {
			break
		}
		before := catalogue(t, pool)
		same(t, fmt.Sprintf("back at version %d", version), before, at[version])
		_, err = p.Down(ctx)
		ok(t, err)
		_, err = p.UpByOne(ctx)
		ok(t, err)
		same(t, fmt.Sprintf("after version %d down and up", version), catalogue(t, pool), before)
		_, err = p.Down(ctx)
		ok(t, err)
	}
	ok(t, schema.Migrate(ctx, sqlDB(t, pool)))
	same(t, "up again", catalogue(t, pool), up)

	ok(t, queue.Create(ctx, pool, "empty"))
	ok(t, queue.Create(ctx, pool, "Ünï unlogged", queue.Unlogged))
	ok(t, schema.Remove(ctx, sqlDB(t, pool)))
	same(t, "removed", catalogue(t, pool), empty)
	ok(t, schema.Migrate(ctx, sqlDB(t, pool)))
	same(t, "up after removal", catalogue(t, pool), up)
}

func TestMigrateAgainDoesNothing(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	before := catalogue(t, pool)
	results, err := provider(t, pool).Up(t.Context())
	ok(t, err)
	equal(t, "the number of migrations applied", len(results), 0)
	same(t, "the catalogue", catalogue(t, pool), before)
}

func TestEightProcessesMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		// A pool each, as eight processes have.
		other := poolLike(t, pool, func(c *pgxpool.Config) { c.MaxConns = 1 })
		db := sqlDB(t, other)
		wg.Go(func() { errs[i] = schema.Migrate(context.WithoutCancel(t.Context()), db) })
	}
	wg.Wait()
	for _, err := range errs {
		ok(t, err)
	}
	equal(t, "rows of the version table that are applied twice", value[int](t, pool,
		`SELECT count(*)::int FROM (SELECT FROM `+schema.VersionTable+` GROUP BY version_id HAVING count(*) > 1) AS twice`), 0)
}

func TestDownRefusesWhileThereAreMessages(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"queue", "archive"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			ctx, pool := t.Context(), pgtest.Database(t)
			pgtest.Migrate(t, pool)
			ok(t, queue.Create(ctx, pool, "a b"))
			ok(t, queue.Create(ctx, pool, "empty"))
			q := open[Order](t, pool, "a b")
			id := send(t, q, Order{ID: 1})
			if place == "archive" {
				ok(t, q.Archive(ctx, readOne(t, q)))
			}

			err := schema.Remove(ctx, sqlDB(t, pool))
			sqlState(t, err, "55000")

			// Nothing was lost, and up mends what is missing.
			equal(t, "messages", value[int](t, pool, tables("a b", `SELECT (SELECT count(*) FROM {Q}) + (SELECT count(*) FROM {A})`)), 1)
			ok(t, schema.Migrate(ctx, sqlDB(t, pool)))
			equal(t, "queues", len(values[string](t, pool, `SELECT queue_name FROM pgmq.list_queues()`)), 2)
			if place == "queue" {
				equal(t, "id", readOne(t, q).ID, id)
			}

			told := poolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["pgmq.drop_messages"] = "on" })
			ok(t, schema.Remove(ctx, sqlDB(t, told)))
		})
	}
}

func TestMigrateInALocaleOfItsOwn(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t, "TEMPLATE template0 LOCALE 'C'")
	pgtest.Migrate(t, pool)
	ok(t, queue.Create(t.Context(), pool, "Ünï-Code.1"))
	q := open[Order](t, pool, "Ünï-Code.1")
	send(t, q, Order{ID: 1})
	ok(t, q.Delete(t.Context(), readOne(t, q)))
	ok(t, queue.Drop(t.Context(), pool, "Ünï-Code.1"))
	equal(t, "tables left", value[int](t, pool, `SELECT count(*)::int FROM pg_tables WHERE tablename ~ '^[qa]_'`), 0)
}
