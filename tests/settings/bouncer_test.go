package settings

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Every command runs twice, and programs in between: the next one finds the state that one
// leaves in a session.
func TestEveryOperationWorksBehindPgBouncerInTransactionMode(t *testing.T) {
	check.Long(t)
	direct := check.OwnDatabase(t)
	b := check.StartBouncer(t, "transaction")
	through := site{b.Pool(direct, pgx.QueryExecModeExec), b.URL(direct), check.Command(t)}
	through.run(t, everything())
	through.run(t, byCommand)
	through.pool = b.Pool(direct, pgx.QueryExecModeSimpleProtocol)
	through.run(t, inGo)
}

func TestMigrateWantsADirectConnection(t *testing.T) {
	check.Parallel(t)
	pgmq, direct := check.Command(t), pgtest.Database(t)
	b := check.StartBouncer(t, "transaction")
	url := "--database-url=" + b.URL(direct)
	for _, args := range [][]string{{"migrate", "up", url}, {"migrate", "rebaseline", url}, {"migrate", "down", url}, {"migrate", "down", "--all", url}} {
		check.Failure(t, pgmq(args...), 1, "pooler", "direct connection", "--database-url")
	}
	_, locks := b.LeftBehind(direct)
	check.Equal(t, "locks left behind", locks, 0)
	check.Contains(t, check.Output(t, pgmq("migrate", "status", url)), "pending")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", "--dry-run", url)), "CREATE SCHEMA")

	session := check.StartBouncer(t, "session")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", "--database-url="+session.URL(direct))), "applied")
}

// A user that asks for prepared statements gets them.
func TestTheDSNDecidesOnPreparedStatements(t *testing.T) {
	check.Parallel(t)
	direct := check.OwnDatabase(t)
	b := check.StartBouncer(t, "transaction")
	pgmq, url := check.Command(t), "--database-url="+b.URL(direct)
	check.Output(t, pgmq("queue", "list", url))
	check.Output(t, pgmq("queue", "list", url))
	const left = `SELECT count(*)::int FROM pg_prepared_statements`
	check.Equal(t, "prepared statements", check.Value[int](t, b.Pool(direct, pgx.QueryExecModeExec), left), 0)
	check.Output(t, pgmq("queue", "list", url+"&default_query_exec_mode=cache_statement"))
	if check.Value[int](t, b.Pool(direct, pgx.QueryExecModeExec), left) == 0 {
		t.Fatal("the DSN was not heeded")
	}
}
