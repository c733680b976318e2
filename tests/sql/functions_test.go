package sql

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestFunctionsRefuseBadNamesInPGMQsWords(t *testing.T) {
	check.Parallel(t)
	const invalid = `queue name contains invalid characters: $, ;, --, or \'`
	for name, want := range map[string]string{
		"":                       "queue name is empty",
		strings.Repeat("a", 48):  "queue name is too long, maximum length is 47 characters",
		strings.Repeat("ü", 31):  "queue name is too long, maximum length is 61 bytes in UTF-8",
		"a$b":                    invalid,
		"a;b":                    invalid,
		"a--b":                   invalid,
		"a'b":                    invalid,
		"'); DROP SCHEMA pgmq--": invalid,
	} {
		for _, function := range []string{"create", "create_non_partitioned", "create_unlogged", "validate_queue_name"} {
			_, err := pgtest.Pool().Exec(t.Context(), "SELECT pgmq."+function+"($1)", name)
			check.SQLState(t, err, "P0001")
			check.Equal(t, function+"'s words", check.As[*pgconn.PgError](t, err).Message, want)
		}
	}
}

func TestDropQueueTellsWhetherThereWasOne(t *testing.T) {
	check.Parallel(t)
	var notices []string
	config, err := pgx.ParseConfig(check.DSN(pgtest.Pool()))
	check.OK(t, err)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Severity+": "+n.Message) }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	check.OK(t, err)
	defer conn.Close(t.Context())

	name := pgtest.Name()
	check.Equal(t, "drop_queue of no queue", check.Value[bool](t, conn, `SELECT pgmq.drop_queue($1)`, name), false)
	check.Same(t, "notices", notices, []string{"NOTICE: pgmq queue `" + name + "` does not exist"})

	check.Exec(t, conn, `SELECT pgmq.create($1)`, name)
	notices = nil
	check.Equal(t, "drop_queue(queue_name, partitioned)", check.Value[bool](t, conn, `SELECT pgmq.drop_queue($1, true)`, name), true)
	check.Same(t, "notices", notices, []string{"WARNING: drop_queue(queue_name, partitioned) is deprecated and will be removed in PGMQ v2.0. Use drop_queue(queue_name) instead"})

	// A queue dropped by hand is cleaned up.
	check.Exec(t, conn, `SELECT pgmq.create($1)`, name)
	check.Exec(t, conn, check.Tables(name, `DROP TABLE {Q}`))
	check.Equal(t, "drop_queue of half a queue", check.Value[bool](t, conn, `SELECT pgmq.drop_queue($1)`, name), true)
	check.Equal(t, "what is left of it", check.Value[int](t, conn,
		`SELECT (SELECT count(*) FROM pgmq.meta WHERE queue_name = $1) + (SELECT count(*) FROM pg_tables WHERE tablename = 'a_' || $1)`, name), 0)
}

func TestFunctionsDoNotDependOnTheSearchPath(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	check.Exec(t, pool, `
		CREATE SCHEMA trap;
		CREATE FUNCTION trap.fail() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fell into the trap'; END $$;
		CREATE FUNCTION trap.lower(text) RETURNS text LANGUAGE sql AS 'SELECT trap.fail()';
		CREATE FUNCTION trap.length(text) RETURNS int LANGUAGE sql AS 'SELECT trap.fail()::int';
		CREATE FUNCTION trap.octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT trap.fail()::int';
		CREATE FUNCTION trap.format(text, text) RETURNS text LANGUAGE sql AS 'SELECT trap.fail()';
		CREATE FUNCTION trap.to_regclass(text) RETURNS regclass LANGUAGE sql AS 'SELECT trap.fail()::regclass';
		CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT trap.fail()::timestamptz';
		CREATE FUNCTION trap.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT trap.fail()';
		CREATE OPERATOR trap.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.concat);
		CREATE VIEW trap.pg_class AS SELECT trap.fail() AS oid;
		CREATE VIEW trap.meta AS SELECT trap.fail() AS queue_name`)
	trapped := check.PoolLike(t, pool, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["search_path"] = "trap, pg_catalog"
	})
	for _, call := range []string{
		`SELECT pgmq.format_table_name('A b', 'q')`, `SELECT pgmq.acquire_queue_lock('A b')`, `SELECT pgmq.validate_queue_name('A b')`,
		`SELECT pgmq.create('A b')`, `SELECT pgmq.create_unlogged('c')`, `SELECT * FROM pgmq.list_queues()`,
		`SELECT pgmq.purge_queue('A b')`, `SELECT pgmq.drop_queue('A b')`, `SELECT pgmq.drop_queue('c', false)`,
	} {
		check.Exec(t, trapped, call)
	}
}
