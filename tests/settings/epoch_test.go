package settings

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// The ids of transactions that the server hands out are 64 bits wide. Those that it stores
// have 32.
func TestEveryOperationWorksAfterFourBillionTransactions(t *testing.T) {
	check.Long(t)
	server, pool := check.LocalServer(t, pgtest.Careless)
	pgtest.Migrate(t, pool)
	pool.Close()
	check.NextEpoch(t, server)
	pool = check.PoolOf(t, server.URL, in(pgx.QueryExecModeCacheStatement))
	if next := check.Value[int64](t, pool, `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint`); next < 1<<32 {
		t.Fatalf("the next transaction is %d", next)
	}
	site{pool, server.URL, check.Command(t)}.run(t, slices.Concat(inGo, inSQL, byCommand[1:2]))
}
