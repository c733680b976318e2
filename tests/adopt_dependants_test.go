package tests

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
)

func TestStatementsPreparedBeforeAdoptionWorkAfterIt(t *testing.T) {
	t.Parallel()
	for _, version := range pgmqVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Database(t)
			installPGMQ(t, pool, version)
			conn, err := pgx.Connect(t.Context(), dsn(pool))
			ok(t, err)
			defer conn.Close(t.Context())
			statements := []string{
				`SELECT msg_id::text FROM pgmq.send('latest', '{}') AS msg_id`,
				`SELECT msg_id || ' ' || coalesce(message::text, '') FROM pgmq.read('orders', 0, 1)`,
				`SELECT msg_id || ' ' || coalesce(message::text, '') FROM app.take('MyQueue')`,
				`SELECT id::text FROM app.ids('orders') AS id LIMIT 1`,
				`SELECT msg_id || ' ' || coalesce(message::text, '') FROM pgmq.pop('orders')`,
				`SELECT queue_name || queue_length FROM pgmq.metrics('orders')`,
				`SELECT queue_name || queue_length FROM app.measure('orders')`,
				`SELECT queue_name || queue_length FROM app.lengths WHERE queue_name = 'orders'`,
			}
			exec(t, pool, `CREATE FUNCTION app.measure(queue text) RETURNS SETOF pgmq.metrics_result LANGUAGE plpgsql AS 'BEGIN RETURN NEXT pgmq.metrics(queue); END'`)
			exec(t, pool, `DELETE FROM pgmq.meta WHERE queue_name = 'Orphan'`) // PGMQ's metrics_all stumbles over it
			for range 7 {                                                      // beyond five executions the plan may be a generic one
				for _, sql := range statements {
					equal(t, "rows of "+sql, len(values[string](t, conn, sql)), 1)
				}
			}
			const star = `SELECT * FROM pgmq.read('orders', 0, 0)`
			exec(t, conn, star)
			ok(t, schema.Migrate(t.Context(), sqlDB(t, pool)))
			// Postgres' own answer to a result that changed; drivers prepare it again.
			if _, err := conn.Exec(t.Context(), star); err != nil {
				sqlState(t, err, "0A000")
			}
			exec(t, conn, star)
			for _, sql := range statements {
				equal(t, "rows of "+sql, len(values[string](t, conn, sql)), 1)
			}
		})
	}
}

func TestPrivilegesOnPGMQsFunctionsAreKept(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	installPGMQ(t, pool, "1.13")
	exec(t, pool, `REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq FROM PUBLIC`)
	const public = `
		SELECT oid::regprocedure::text FROM pg_proc
		WHERE pronamespace = 'pgmq'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1`
	fresh := pgtest.Database(t)
	pgtest.Migrate(t, fresh)
	had := map[string]bool{}
	for _, f := range values[string](t, pool, `SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace`) {
		had[f] = true
	}
	ok(t, schema.Migrate(t.Context(), sqlDB(t, pool)))
	for _, f := range values[string](t, pool, public) {
		if had[f] {
			t.Errorf("everybody may call %s again", f)
		}
	}
}

// A view's columns are found by their place in a type, not by their name.
func TestAViewThatWouldReadWrongColumnsStopsTheAdoption(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	installPGMQ(t, pool, "1.8")
	before := kept(t, pool)
	exec(t, pool, `CREATE VIEW app.hidden AS SELECT msg_id, vt FROM app.take('orders')`)
	err := schema.Migrate(t.Context(), sqlDB(t, pool))
	sqlState(t, err, "2BP01")
	equal(t, "its words", as[*pgconn.PgError](t, err).Message,
		"the columns of pgmq.message_record move, and rule _RETURN on view app.hidden would read the wrong ones")
	exec(t, pool, `DROP VIEW app.hidden`)
	ok(t, schema.Migrate(t.Context(), sqlDB(t, pool)))
	keeps(t, pool, before)
}
