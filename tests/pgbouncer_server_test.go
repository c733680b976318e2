package tests

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/netfault"
)

// bouncer is a PgBouncer in front of the tests' server.
type bouncer struct {
	*netfault.Bouncer
	t testing.TB
}

// startBouncer starts a PgBouncer, as the test's own process, with a pool mode.
func startBouncer(t testing.TB, mode string) *bouncer {
	t.Helper()
	b, err := netfault.NewBouncer(&pgtest.Pool().Config().ConnConfig.Config, mode)
	ok(t, err)
	t.Cleanup(func() {
		b.Remove()
		if t.Failed() {
			t.Log(b.Log())
		}
	})
	ok(t, b.Start(t.Context()))
	return &bouncer{b, t}
}

// pool is a pool of the same database as p's, through PgBouncer.
func (b *bouncer) pool(p *pgxpool.Pool, mode pgx.QueryExecMode) *pgxpool.Pool {
	b.t.Helper()
	return poolLike(b.t, p, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.ConnConfig.Host, c.ConnConfig.Port = "127.0.0.1", uint16(b.Port)
		c.ConnConfig.Fallbacks = nil
		c.ConnConfig.RuntimeParams["application_name"] = "through PgBouncer"
		c.ConnConfig.DefaultQueryExecMode = mode // what users behind a pooler must set
	})
}

// leftBehind returns what the server connections of the bouncer still listen to,
// and how many advisory locks they hold.
func (b *bouncer) leftBehind(direct *pgxpool.Pool) (channels []string, locks int) {
	b.t.Helper()
	through := b.pool(direct, pgx.QueryExecModeSimpleProtocol)
	const servers = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'through PgBouncer'`
	n := value[int](b.t, direct, servers)
	ctx, seen := context.Background(), map[int]bool{}
	// Transactions that are open at the same time are on different connections.
	var open []*pgx.Conn
	for range n + 1 {
		conn, err := pgx.ConnectConfig(ctx, through.Config().ConnConfig)
		ok(b.t, err)
		open = append(open, conn)
		exec(b.t, conn, "BEGIN")
		seen[value[int](b.t, conn, "SELECT pg_backend_pid()")] = true
		channels = append(channels, values[string](b.t, conn, "SELECT pg_listening_channels()")...)
	}
	for _, conn := range open {
		conn.Close(ctx)
	}
	b.t.Logf("looked at %d server connections", len(seen))
	return channels, value[int](b.t, direct, `SELECT count(*)::int FROM pg_locks
		WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}
