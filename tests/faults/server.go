package faults

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// privateServer is a server that a test may crash, with fsync on,
// and a pool of a migrated database there.
func privateServer(t testing.TB) (*postgres.Server, *pgxpool.Pool) {
	t.Helper()
	s, err := postgres.Local(t.Context(), "max_connections=200")
	if err != nil {
		t.Fatalf("this test crashes a server of its own; it needs Postgres' server binaries (Debian: apt-get install postgresql): %v", err)
	}
	t.Cleanup(func() { check.OK(t, s.Stop()) })
	pool := check.PoolOf(t, s.URL, func(c *pgxpool.Config) { c.MaxConns = 16 })
	pgtest.Migrate(t, pool)
	return s, pool
}

// outages checks that each consumer told of at least one outage and of few, each
// followed by its end.
func outages(t testing.TB, least, most int, consumers ...*check.Consuming) {
	t.Helper()
	for i, c := range consumers {
		var told []queue.EventKind
		var why error
		for _, e := range c.All() {
			if e.Kind == queue.EventOutage || e.Kind == queue.EventRecovered {
				told = append(told, e.Kind)
			}
			if e.Kind == queue.EventOutage {
				why = e.Err
			}
		}
		t.Logf("consumer %d told of %d outages, the last one: %v", i+1, len(told)/2, why)
		for j, kind := range told {
			if want := []queue.EventKind{queue.EventOutage, queue.EventRecovered}[j%2]; kind != want {
				t.Errorf("consumer %d: %v", i+1, told)
				break
			}
		}
		if len(told) < 2*least || len(told)%2 != 0 || len(told) > 2*most {
			t.Errorf("consumer %d told of outages %d times, and not of %d to %d and their ends", i+1, len(told), least, most)
		}
	}
}

// notices waits until each consumer has told of one more outage.
func notices(t testing.TB, consumers ...*check.Consuming) {
	t.Helper()
	for _, c := range consumers {
		before := len(c.Of(queue.EventRecovered))
		check.Eventually(t, "a consumer notices the outage", func() bool { return len(c.Of(queue.EventOutage)) > before })
	}
}

// terminate ends every backend of a pool's database but the caller's own, and
// returns how many that were.
func terminate(t testing.TB, admin check.Querier, where string, args ...any) int {
	t.Helper()
	return check.Value[int](t, admin, `SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND `+where, args...)
}

// adminOf is a connection of a pool's database that is not the pool's.
func adminOf(t testing.TB, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), pool.Config().ConnConfig)
	check.OK(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}
