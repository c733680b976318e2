package sql

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// apiGrants let a role call pgmq_public, and use no queue yet.
var apiGrants = []string{
	"GRANT USAGE ON SCHEMA pgmq, pgmq_public",
	"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq_public",
}

// queueGrants are those of docs/pgmq_public.md, function by function.
var queueGrants = map[string][]string{
	"send":       {"GRANT INSERT ON {Q}", "GRANT SELECT (msg_id) ON {Q}"},
	"send_batch": {"GRANT INSERT ON {Q}", "GRANT SELECT (msg_id) ON {Q}"},
	"read":       {"GRANT SELECT ON {Q}", "GRANT UPDATE (vt, read_ct, last_read_at) ON {Q}"},
	"pop":        {"GRANT SELECT ON {Q}", "GRANT UPDATE (vt) ON {Q}", "GRANT DELETE ON {Q}"},
	"delete":     {"GRANT SELECT (msg_id) ON {Q}", "GRANT DELETE ON {Q}"},
	"archive":    {"GRANT SELECT ON {Q}", "GRANT DELETE ON {Q}", "GRANT INSERT ON {A}"},
}

// publicCalls are calls of the functions on queue $1.
var publicCalls = map[string]string{
	"send":       `SELECT * FROM pgmq_public.send($1, '{}')`,
	"send_batch": `SELECT * FROM pgmq_public.send_batch($1, '{"{}"}')`,
	"read":       `SELECT msg_id FROM pgmq_public.read($1, 0, 1)`,
	"pop":        `SELECT msg_id FROM pgmq_public.pop($1)`,
	"delete":     `SELECT pgmq_public.delete($1, 1)`,
	"archive":    `SELECT pgmq_public.archive($1, 1)`,
}

const publicQueue = "Ünï-1"

func publicQueueTables(sql string) string { return check.Tables(publicQueue, sql) }

func TestPublicWrappersHaveSupabasesSignatures(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.PublicWrappers)
	check.Same(t, "functions", signatures(t, pool, "pgmq_public", "."), []string{
		"archive(queue_name text, message_id bigint) boolean",
		"delete(queue_name text, message_id bigint) boolean",
		"pop(queue_name text) SETOF pgmq.message_record",
		"read(queue_name text, sleep_seconds integer, n integer) SETOF pgmq.message_record",
		"send(queue_name text, message jsonb, sleep_seconds integer DEFAULT 0) SETOF bigint",
		"send_batch(queue_name text, messages jsonb[], sleep_seconds integer DEFAULT 0) SETOF bigint",
	})
	check.Equal(t, "functions in PL/pgSQL with an empty search_path", check.Value[int](t, pool, `
		SELECT count(*)::int FROM pg_proc JOIN pg_language AS l ON l.oid = prolang
		WHERE pronamespace = 'pgmq_public'::regnamespace AND lanname = 'plpgsql' AND proconfig = ARRAY['search_path=""']`), 6)
}

// PostgREST calls functions by the names of their arguments.
func TestPublicWrappersWork(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.PublicWrappers)
	check.Exec(t, pool, `SELECT pgmq.create($1)`, publicQueue)
	check.Equal(t, "id", check.Value[int](t, pool, `SELECT * FROM pgmq_public.send(queue_name => $1, message => '{"a": 1}')`, publicQueue), 1)
	check.Equal(t, "id", check.Value[int](t, pool, `SELECT * FROM pgmq_public.send(queue_name => $1, message => '{"a": 2}', sleep_seconds => 60)`, publicQueue), 2)
	check.Same(t, "ids", check.Values[string](t, pool, `SELECT send_batch::text FROM pgmq_public.send_batch(queue_name => $1, messages => ARRAY['3', '4']::jsonb[], sleep_seconds => 0)`, publicQueue), []string{"3", "4"})
	check.Same(t, "read", check.Values[string](t, pool, `SELECT msg_id || ' ' || read_ct || ' ' || message FROM pgmq_public.read(queue_name => $1, sleep_seconds => 60, n => 2)`, publicQueue),
		[]string{`1 1 {"a": 1}`, `3 1 3`})
	check.Equal(t, "hidden for", check.Value[bool](t, pool, publicQueueTables(`SELECT vt > now() + interval '30 s' FROM {Q} WHERE msg_id = 1`)), true)
	check.Equal(t, "delayed for", check.Value[bool](t, pool, publicQueueTables(`SELECT vt > now() + interval '30 s' FROM {Q} WHERE msg_id = 2`)), true)
	check.Equal(t, "popped", check.Value[int](t, pool, `SELECT msg_id FROM pgmq_public.pop(queue_name => $1)`, publicQueue), 4)
	for _, want := range []bool{true, false} {
		check.Equal(t, "archived", check.Value[bool](t, pool, `SELECT pgmq_public.archive(queue_name => $1, message_id => 1)`, publicQueue), want)
		check.Equal(t, "deleted", check.Value[bool](t, pool, `SELECT pgmq_public.delete(queue_name => $1, message_id => 2)`, publicQueue), want)
	}
	check.Same(t, "left", check.Values[string](t, pool, publicQueueTables(`SELECT 'q ' || msg_id FROM {Q} UNION ALL SELECT 'a ' || msg_id FROM {A} ORDER BY 1`)), []string{"a 1", "q 3"})
}

func TestEachPublicWrapperNeedsTheDocumentedGrantsAndNoMore(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.PublicWrappers)
	check.Exec(t, pool, `SELECT pgmq.create($1)`, publicQueue)
	for function, grants := range queueGrants {
		for missing := -1; missing < len(grants); missing++ {
			all := append([]string{}, apiGrants...)
			for i, grant := range grants {
				if i != missing {
					all = append(all, publicQueueTables(grant))
				}
			}
			caller := check.RoleOn(t, pool, function, all...)
			check.Exec(t, pool, publicQueueTables(`TRUNCATE {Q}, {A} RESTART IDENTITY`))
			check.Exec(t, pool, `SELECT pgmq.send($1, '{}')`, publicQueue)
			_, err := caller.Exec(t.Context(), publicCalls[function], publicQueue)
			if missing < 0 {
				check.OK(t, err)
				continue
			}
			check.Forbidden(t, function+" without: "+grants[missing], err)
		}
	}
}

// supabaseRoles keeps other runs from making or dropping the roles meanwhile,
// and returns those that the server has.
func supabaseRoles(t testing.TB) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.URL("postgres"))
	check.OK(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	check.Exec(t, conn, `SELECT pg_advisory_lock(hashtext('supabase roles'))`)
	return check.Values[string](t, conn, `SELECT rolname::text FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role')`)
}

func TestPublicWrappersGrantToTheRolesThatExist(t *testing.T) {
	check.Parallel(t)
	ctx := t.Context()
	there := supabaseRoles(t)
	pool := check.DatabaseWith(t, schema.PublicWrappers) // usually with none of them
	db := check.SQLDB(t, pool)
	check.Exec(t, pool, `SELECT pgmq.create($1)`, publicQueue)
	check.Exec(t, pool, `SELECT pgmq.send($1, '{}')`, publicQueue)

	roles := []string{"anon", "service_role"} // and usually no authenticated
	for _, role := range roles {
		if !slices.Contains(there, role) {
			check.Exec(t, pool, "CREATE ROLE "+role)
			t.Cleanup(func() { _, _ = pool.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role) })
		}
	}
	check.OK(t, schema.Install(ctx, db, schema.PublicWrappers))

	privileges := func(role string) string {
		return check.Value[string](t, pool, fmt.Sprintf(`
			SELECT concat_ws(' ',
				has_schema_privilege('%[1]s', 'pgmq', 'USAGE'), has_schema_privilege('%[1]s', 'pgmq', 'CREATE'),
				to_regnamespace('pgmq_public') IS NOT NULL AND has_schema_privilege('%[1]s', to_regnamespace('pgmq_public'), 'USAGE'),
				(SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('pgmq_public') AND has_function_privilege('%[1]s', oid, 'EXECUTE')),
				(SELECT count(*) FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relkind IN ('r', 'p')
					AND (has_any_column_privilege('%[1]s', oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege('%[1]s', oid, 'DELETE, TRUNCATE'))))`, role))
	}
	for _, role := range roles {
		check.Equal(t, role+"'s rights", privileges(role), "t f t 6 0")
		caller := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["role"] = role })
		for function, call := range publicCalls {
			_, err := caller.Exec(ctx, call, publicQueue)
			check.Forbidden(t, function, err)
		}
	}
	check.Equal(t, "everybody's rights", check.Value[int](t, pool, `
		SELECT count(*)::int FROM pg_proc WHERE pronamespace = 'pgmq_public'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')`), 0)

	check.OK(t, schema.Uninstall(ctx, db, schema.PublicWrappers))
	check.Equal(t, "anon's rights after removal", privileges("anon"), "f f f 0 0")

	stranger := check.RoleOn(t, pool, "stranger", "GRANT USAGE ON SCHEMA pgmq",
		"GRANT CREATE ON DATABASE "+pgx.Identifier{pool.Config().ConnConfig.Database}.Sanitize())
	err := schema.Install(ctx, check.SQLDB(t, stranger), schema.PublicWrappers)
	check.Forbidden(t, "grant what is not its own", err)
	check.Contains(t, err.Error(), "install as that role")
}

func TestPublicWrappersLeaveSomebodyElsesThingsInTheirSchema(t *testing.T) {
	check.Parallel(t)
	ctx := t.Context()
	for what, making := range map[string]string{
		"function": `CREATE FUNCTION pgmq_public.theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		"view":     `CREATE VIEW pgmq_public.theirs AS SELECT 1 AS one`,
	} {
		pool := check.DatabaseWith(t, schema.PublicWrappers)
		check.Exec(t, pool, making)
		check.OK(t, schema.Uninstall(ctx, check.SQLDB(t, pool), schema.PublicWrappers))
		check.Equal(t, "our functions left", len(signatures(t, pool, "pgmq_public", "^(send|send_batch|read|pop|archive|delete)$")), 0)
		check.Exec(t, pool, `DROP `+what+` pgmq_public.theirs`)
	}

	// Nor does a schema go that was there before.
	pool := check.DatabaseWith(t)
	check.Exec(t, pool, `CREATE SCHEMA pgmq_public`)
	before := check.Catalogue(t, pool)
	check.OK(t, schema.Install(ctx, check.SQLDB(t, pool), schema.PublicWrappers))
	check.OK(t, schema.Uninstall(ctx, check.SQLDB(t, pool), schema.PublicWrappers))
	check.Same(t, "after removal", check.Catalogue(t, pool), before)
}
