package sql

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// signatures lists the functions of a name's pattern as "name(arguments) result".
func signatures(t testing.TB, pool *pgxpool.Pool, inSchema, pattern string) []string {
	t.Helper()
	return check.Values[string](t, pool, `
		SELECT proname || '(' || pg_get_function_arguments(oid) || ') ' || pg_get_function_result(oid)
			|| CASE WHEN proisstrict THEN ' strict' ELSE '' END || CASE WHEN prosecdef THEN ' definer' ELSE '' END
		FROM pg_proc WHERE pronamespace = $1::regnamespace AND proname ~ $2 ORDER BY 1`, inSchema, pattern)
}

func TestOptionalAPIsAreNotThereUnlessAskedFor(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t)
	for _, o := range schema.Optionals() {
		there, err := schema.Installed(t.Context(), check.SQLDB(t, pool), o)
		check.OK(t, err)
		check.Equal(t, string(o), there, false)
	}
	check.Equal(t, "functions of other schemas", check.Value[int](t, pool, `
		SELECT count(*)::int FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
		WHERE nspname IN ('public', 'pgmq_public')`), 0)
}

func TestOptionalAPIsInstallTwiceAndGoWithoutATrace(t *testing.T) {
	check.Parallel(t)
	for _, o := range schema.Optionals() {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			ctx, pool := t.Context(), check.DatabaseWith(t)
			db, before := check.SQLDB(t, pool), check.Catalogue(t, pool)
			check.OK(t, schema.Install(ctx, db, o))
			once := check.Catalogue(t, pool)
			check.OK(t, schema.Install(ctx, db, o))
			check.Same(t, "installed twice", check.Catalogue(t, pool), once)
			there, err := schema.Installed(ctx, db, o)
			check.OK(t, err)
			check.Equal(t, "installed", there, true)
			check.Equal(t, "functions without a comment", check.Value[int](t, pool, `
				SELECT count(*)::int FROM pg_proc
				WHERE prosrc LIKE '%pgmq api: ' || $1 || '%' AND obj_description(oid, 'pg_proc') IS NULL`, string(o)), 0)

			check.OK(t, schema.Uninstall(ctx, db, o))
			check.Same(t, "removed", check.Catalogue(t, pool), before)
			check.OK(t, schema.Uninstall(ctx, db, o))
			check.OK(t, schema.Install(ctx, db, o))
			check.Same(t, "installed again", check.Catalogue(t, pool), once)
		})
	}
}

func TestRemoveTakesTheOptionalAPIsToo(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), pgtest.Database(t)
	empty := check.Catalogue(t, pool)
	pgtest.Migrate(t, pool)
	for _, o := range schema.Optionals() {
		check.OK(t, schema.Install(ctx, check.SQLDB(t, pool), o))
	}
	check.OK(t, schema.Remove(ctx, check.SQLDB(t, pool)))
	check.Same(t, "removed", check.Catalogue(t, pool), empty)
}

func TestOptionalAPIsAskForTheMigrations(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	for _, o := range schema.Optionals() {
		err := schema.Install(t.Context(), check.SQLDB(t, pool), o)
		check.SQLState(t, err, "55000")
		check.Contains(t, err.Error(), string(o), "pgmq migrate up")
		check.OK(t, schema.Uninstall(t.Context(), check.SQLDB(t, pool), o))
	}
	err := schema.Install(t.Context(), check.SQLDB(t, pool), "../00001_adopt")
	check.Contains(t, err.Error(), "no optional API")
}

func TestEightProcessesMayInstallAtOnce(t *testing.T) {
	check.Parallel(t)
	for _, o := range schema.Optionals() {
		db := check.SQLDB(t, check.DatabaseWith(t))
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = schema.Install(context.WithoutCancel(t.Context()), db, o) })
		}
		wg.Wait()
		for _, err := range errs {
			check.OK(t, err)
		}
	}
}

// Supabase's users write such functions themselves.
func TestOptionalAPIsNeverTouchSomebodyElsesFunctions(t *testing.T) {
	check.Parallel(t)
	const body = ` RETURNS text LANGUAGE sql AS 'SELECT ''theirs''::text'`
	for name, test := range map[string]struct {
		api              schema.Optional
		before, function string
		inTheWay         string
		rename           string
	}{
		"the same arguments": {
			schema.LegacyNames, ``, `CREATE FUNCTION public.pgmq_pop(queue_name text)` + body,
			"public.pgmq_pop(queue_name text)", `ALTER FUNCTION public.pgmq_pop(text) RENAME TO mine`,
		},
		"other arguments": {
			schema.LegacyNames, ``, `CREATE FUNCTION public.pgmq_send(q text, msg json)` + body,
			"public.pgmq_send(q text, msg json)", `ALTER FUNCTION public.pgmq_send(text, json) RENAME TO mine`,
		},
		"in pgmq_public": {
			schema.PublicWrappers, `CREATE SCHEMA pgmq_public`, `CREATE FUNCTION pgmq_public.read(queue_name text, sleep_seconds integer, n integer)` + body,
			"pgmq_public.read(queue_name text, sleep_seconds integer, n integer)", `ALTER FUNCTION pgmq_public.read(text, integer, integer) RENAME TO mine`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, pool := t.Context(), check.DatabaseWith(t)
			db := check.SQLDB(t, pool)
			check.Exec(t, pool, test.before)
			check.Exec(t, pool, test.function)
			before := check.Catalogue(t, pool)

			err := schema.Install(ctx, db, test.api)
			check.SQLState(t, err, "42723")
			check.Equal(t, "what it says", check.As[*pgconn.PgError](t, err).Message,
				"somebody else's function has a name that this API needs: rename or drop "+test.inTheWay+", then install again")
			check.Same(t, "after the refusal", check.Catalogue(t, pool), before)
			check.OK(t, schema.Uninstall(ctx, db, test.api))
			check.Same(t, "after removal of nothing", check.Catalogue(t, pool), before)

			check.Exec(t, pool, test.rename)
			before = check.Catalogue(t, pool)
			check.OK(t, schema.Install(ctx, db, test.api))
			check.OK(t, schema.Uninstall(ctx, db, test.api))
			check.Same(t, "removed beside somebody else's", check.Catalogue(t, pool), before)
		})
	}
}

// Its comment is still ours then, but it is not.
func TestAFunctionThatSomebodyReplacedIsTheirs(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), check.DatabaseWith(t, schema.LegacyNames)
	db := check.SQLDB(t, pool)
	check.Exec(t, pool, `CREATE OR REPLACE FUNCTION public.pgmq_list_queues() RETURNS TABLE (queue_name text, created_at timestamptz)
		LANGUAGE sql AS 'SELECT ''theirs''::text, now()'`)
	err := schema.Install(ctx, db, schema.LegacyNames)
	check.SQLState(t, err, "42723")
	check.OK(t, schema.Uninstall(ctx, db, schema.LegacyNames))
	check.Same(t, "what is left", signatures(t, pool, "public", "^pgmq_"), []string{"pgmq_list_queues() TABLE(queue_name text, created_at timestamp with time zone)"})
}

// A client that goes on after an error must not half install.
func TestOptionalFilesAreOneStatementEach(t *testing.T) {
	check.Parallel(t)
	for _, o := range schema.Optionals() {
		for _, direction := range []string{"up", "down"} {
			text, err := schema.FS.ReadFile("optional/" + string(o) + "." + direction + ".sql")
			check.OK(t, err)
			if !regexp.MustCompile(`\A(--[^\n]*\n|\n)+DO \$(\w+)\$\n`).Match(text) {
				t.Fatalf("%s begins with more than comments and a DO", o)
			}
			tag := regexp.MustCompile(`DO (\$\w+\$)`).FindStringSubmatch(string(text))[1]
			check.Equal(t, "the DO's end", strings.HasSuffix(string(text), "END "+tag+";\n"), true)
			check.Equal(t, "tags", strings.Count(string(text), tag), 2)
		}
	}
}

func TestOptionalFunctionsDoNotDependOnTheSearchPath(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.Optionals()...)
	check.Exec(t, pool, `
		CREATE SCHEMA trap;
		CREATE FUNCTION trap.fail() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fell into the trap'; END $$;
		CREATE FUNCTION trap.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE sql AS 'SELECT trap.fail()::bigint';
		CREATE FUNCTION trap.equals(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT trap.fail()::boolean';
		CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.equals)`)
	trapped := check.PoolLike(t, pool, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["search_path"] = "trap, pg_catalog"
	})
	for _, call := range []string{
		`SELECT public.pgmq_create('q')`,
		`SELECT * FROM public.pgmq_send_batch('q', ARRAY['1', '2', '3', '4']::jsonb[])`,
		`SELECT * FROM public.pgmq_read('q', 0, 1)`, `SELECT * FROM public.pgmq_read_with_poll('q', 0, 1)`,
		`SELECT * FROM public.pgmq_set_vt('q', 1, 0)`, `SELECT * FROM public.pgmq_pop('q')`,
		`SELECT * FROM public.pgmq_delete('q', ARRAY[2])`, `SELECT * FROM public.pgmq_archive('q', ARRAY[3])`,
		`SELECT * FROM public.pgmq_metrics('q')`, `SELECT * FROM public.pgmq_metrics_all()`, `SELECT * FROM public.pgmq_list_queues()`,
		`SELECT * FROM pgmq_public.send('q', '1')`, `SELECT * FROM pgmq_public.send_batch('q', ARRAY['1']::jsonb[])`,
		`SELECT * FROM pgmq_public.read('q', 0, 1)`, `SELECT * FROM pgmq_public.pop('q')`,
		`SELECT pgmq_public.archive('q', 5)`, `SELECT pgmq_public.delete('q', 6)`,
		`SELECT public.pgmq_drop_queue('q')`,
	} {
		check.Exec(t, trapped, call)
	}
	// Nor does installing.
	for _, o := range slices.Backward(schema.Optionals()) {
		check.OK(t, schema.Uninstall(t.Context(), check.SQLDB(t, trapped), o))
		check.OK(t, schema.Install(t.Context(), check.SQLDB(t, trapped), o))
	}
}
