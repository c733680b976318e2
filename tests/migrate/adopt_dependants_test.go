package migrate

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestStatementsPreparedBeforeAdoptionWorkAfterIt(t *testing.T) {
	check.Parallel(t)
	for _, version := range check.PGMQVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Database(t)
			check.InstallPGMQ(t, pool, version)
			conn, err := pgx.Connect(t.Context(), check.DSN(pool))
			check.OK(t, err)
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
			check.Exec(t, pool, `CREATE FUNCTION app.measure(queue text) RETURNS SETOF pgmq.metrics_result LANGUAGE plpgsql AS 'BEGIN RETURN NEXT pgmq.metrics(queue); END'`)
			check.Exec(t, pool, `DELETE FROM pgmq.meta WHERE queue_name = 'Orphan'`) // PGMQ's metrics_all stumbles over it
			for range 7 {                                                            // beyond five executions the plan may be a generic one
				for _, sql := range statements {
					check.Equal(t, "rows of "+sql, len(check.Values[string](t, conn, sql)), 1)
				}
			}
			const star = `SELECT * FROM pgmq.read('orders', 0, 0)`
			check.Exec(t, conn, star)
			check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
			// Postgres' own answer to a result that changed; drivers prepare it again.
			if _, err := conn.Exec(t.Context(), star); err != nil {
				check.SQLState(t, err, "0A000")
			}
			check.Exec(t, conn, star)
			for _, sql := range statements {
				check.Equal(t, "rows of "+sql, len(check.Values[string](t, conn, sql)), 1)
			}
		})
	}
}

func TestPrivilegesOnPGMQsFunctionsAreKept(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	check.InstallPGMQ(t, pool, "1.13")
	check.Exec(t, pool, `REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq FROM PUBLIC`)
	const public = `
		SELECT oid::regprocedure::text FROM pg_proc
		WHERE pronamespace = 'pgmq'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1`
	had := map[string]bool{}
	for _, f := range check.Values[string](t, pool, `SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace`) {
		had[f] = true
	}
	check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
	for _, f := range check.Values[string](t, pool, public) {
		if had[f] {
			t.Errorf("everybody may call %s again", f)
		}
	}
}

// A view's columns are found by their place in a type, not by their name.
func TestAViewThatWouldReadWrongColumnsStopsTheAdoption(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	check.InstallPGMQ(t, pool, "1.8")
	before := kept(t, pool)
	check.Exec(t, pool, `CREATE VIEW app.hidden AS SELECT msg_id, vt FROM app.take('orders')`)
	err := schema.Migrate(t.Context(), check.SQLDB(t, pool))
	check.SQLState(t, err, "2BP01")
	check.Equal(t, "its words", check.As[*pgconn.PgError](t, err).Message,
		"the columns of pgmq.message_record move, and rule _RETURN on view app.hidden would read the wrong ones")
	check.Exec(t, pool, `DROP VIEW app.hidden`)
	check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
	keeps(t, pool, before)
}
