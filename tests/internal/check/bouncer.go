package check

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/netfault"
)

// URL is the DSN of a pool's database through PgBouncer.
func (b *Bouncer) URL(p *pgxpool.Pool) string {
	c := p.Config().ConnConfig
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", c.User, c.Password, b.Port, c.Database)
}

// Bouncer is a PgBouncer in front of the tests' server.
type Bouncer struct {
	*netfault.Bouncer
	t testing.TB
}

// StartBouncer starts a PgBouncer, as the test's own process, with a pool mode.
func StartBouncer(t testing.TB, mode string) *Bouncer {
	t.Helper()
	b, err := netfault.NewBouncer(&pgtest.Pool().Config().ConnConfig.Config, mode)
	OK(t, err)
	t.Cleanup(func() {
		b.Remove()
		if t.Failed() {
			t.Log(b.Log())
		}
	})
	OK(t, b.Start(t.Context()))
	return &Bouncer{b, t}
}

// Pool is a pool of the same database as p's, through PgBouncer.
func (b *Bouncer) Pool(p *pgxpool.Pool, mode pgx.QueryExecMode) *pgxpool.Pool {
	b.t.Helper()
	return PoolLike(b.t, p, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.ConnConfig.Host, c.ConnConfig.Port = "127.0.0.1", uint16(b.Port)
		c.ConnConfig.Fallbacks = nil
		c.ConnConfig.RuntimeParams["application_name"] = "through PgBouncer"
		c.ConnConfig.DefaultQueryExecMode = mode // users behind a pooler must set it
	})
}

// LeftBehind returns the channels that the server connections of the bouncer still listen
// to, and how many advisory locks they hold.
func (b *Bouncer) LeftBehind(direct *pgxpool.Pool) (channels []string, locks int) {
	b.t.Helper()
	through := b.Pool(direct, pgx.QueryExecModeSimpleProtocol)
	const servers = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'through PgBouncer'`
	n := Value[int](b.t, direct, servers)
	ctx, seen := context.Background(), map[int]bool{}
	// Transactions that are open at the same time are on different connections.
	var open []*pgx.Conn
	for range n + 1 {
		conn, err := pgx.ConnectConfig(ctx, through.Config().ConnConfig)
		OK(b.t, err)
		open = append(open, conn)
		Exec(b.t, conn, "BEGIN")
		seen[Value[int](b.t, conn, "SELECT pg_backend_pid()")] = true
		channels = append(channels, Values[string](b.t, conn, "SELECT pg_listening_channels()")...)
	}
	for _, conn := range open {
		conn.Close(ctx)
	}
	b.t.Logf("looked at %d server connections", len(seen))
	return channels, Value[int](b.t, direct, `SELECT count(*)::int FROM pg_locks
		WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}
