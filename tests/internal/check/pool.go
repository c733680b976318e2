package check

import (
	"context"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/netfault"
)

// NewPool is another pool of the tests' database.
func NewPool(t testing.TB, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	return PoolLike(t, pgtest.Pool(), change)
}

// PoolLike is another pool of the same database.
func PoolLike(t testing.TB, p *pgxpool.Pool, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config := p.Config()
	config.MaxConns = 4
	change(config)
	other, err := pgxpool.NewWithConfig(t.Context(), config)
	OK(t, err)
	t.Cleanup(func() { pgtest.Close(other) })
	return other
}

// LocalServer is a server of the test's own, with settings.
func LocalServer(t testing.TB, settings ...string) (*postgres.Server, *pgxpool.Pool) {
	t.Helper()
	s, err := postgres.Local(t.Context(), settings...)
	OK(t, err)
	t.Cleanup(func() { OK(t, s.Stop()) })
	return s, PoolOf(t, s.URL, func(*pgxpool.Config) {})
}

// OwnDatabase is a migrated database of the test's own.
func OwnDatabase(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Migrated(t)
	return pool
}

// PoolOf is a pool of the database at url.
func PoolOf(t testing.TB, url string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	OK(t, err)
	change(config)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	OK(t, err)
	t.Cleanup(func() { pgtest.Close(pool) })
	return pool
}

// OwnQueue makes a queue in a database that goes away with the test.
func OwnQueue[T any](t testing.TB, pool *pgxpool.Pool, name string) *queue.Queue[T] {
	t.Helper()
	OK(t, admin.Create(t.Context(), pool, name))
	return Open[T](t, pool, name)
}

// DatabaseWith is a migrated database with optional APIs.
func DatabaseWith(t testing.TB, apis ...schema.Optional) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Migrated(t)
	for _, o := range apis {
		OK(t, schema.Install(t.Context(), SQLDB(t, pool), o))
	}
	return pool
}

// Proxied is a pool like the tests', whose connections go through a proxy.
func Proxied(t testing.TB, change func(*pgxpool.Config)) (*pgxpool.Pool, *netfault.Proxy) {
	t.Helper()
	config := pgtest.Pool().Config().ConnConfig
	p := netfault.NewProxy(pgconn.NetworkAddress(config.Host, config.Port))
	OK(t, p.Open())
	t.Cleanup(p.Close)
	return NewPool(t, func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", p.Addr())
		}
		change(c)
	}), p
}
