package tests

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
)

// While one queue is held, the others are blocked for moments only; a migration
// that was stopped leaves everything in use, and works when it is repeated.
func TestAdoptionGivesWayToOpenTransactions(t *testing.T) {
	t.Parallel()
	for _, is := range []struct {
		version, holding, waited string
	}{
		{"1.4", `SELECT count(*) FROM pgmq.q_orders`, "pgmq.q_orders"},
		{"1.8", `SELECT count(*) FROM pgmq.q_orders`, "pgmq.q_orders"},
		// The throttle of a queue is held until the sender commits.
		{"1.8", `SELECT pgmq.send('orders', '{}')`, "pgmq.notify_insert_throttle"},
		{"1.13", `SELECT pgmq.send('orders', '{}')`, "pgmq.notify_insert_throttle"},
		// Nothing is to be changed but the storage, which can wait.
		{"1.13", `SELECT count(*) FROM pgmq.q_orders`, ""},
	} {
		t.Run(is.version+" "+is.holding, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Database(t)
			installPGMQ(t, pool, is.version)
			before := kept(t, pool)
			holder, err := pool.Begin(t.Context())
			ok(t, err)
			defer holder.Rollback(context.WithoutCancel(t.Context()))
			exec(t, holder, is.holding)

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- schema.Migrate(ctx, sqlDB(t, pool)) }()

			if is.waited != "" {
				eventually(t, "the migration waits", func() bool {
					return value[bool](t, pool, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass)`, is.waited)
				})
			}
			// Those that sort before and after, one that is announced as well, and
			// the one that is held.
			clients := poolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["statement_timeout"] = "5s" })
			slowest := time.Duration(0)
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
				for _, name := range []string{"latest", "MyQueue", "fast", "orders"} {
					start := time.Now()
					exec(t, clients, `SELECT pgmq.read($1, 0, 0)`, name)
					if name != "orders" {
						exec(t, clients, `BEGIN; SELECT pgmq.send('`+name+`', '{}'); ROLLBACK`)
					}
					slowest = max(slowest, time.Since(start))
				}
			}
			t.Logf("the slowest read and send took %v", slowest)
			if slowest > 2*time.Second {
				t.Errorf("a client was blocked for %v", slowest)
			}

			if is.waited == "" {
				ok(t, <-done)
				ok(t, holder.Rollback(t.Context()))
			} else {
				cancel()
				if <-done == nil {
					t.Fatal("the migration went through a locked queue")
				}
				keeps(t, pool, before)
				ok(t, holder.Rollback(t.Context()))
				ok(t, schema.Migrate(t.Context(), sqlDB(t, pool)))
			}
			keeps(t, pool, before)
			exec(t, pool, `SELECT pgmq.create('made by us'); SELECT pgmq._apply_storage('orders')`)
			same(t, "storage", storage(t, pool, "q_orders"), storage(t, pool, "q_made by us"))
		})
	}
}

func TestAdoptionThatCannotGetAQueueSaysSo(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a minute")
	}
	t.Parallel()
	pool := pgtest.Database(t)
	installPGMQ(t, pool, "1.8")
	before := kept(t, pool)
	holder, err := pool.Begin(t.Context())
	ok(t, err)
	defer holder.Rollback(context.WithoutCancel(t.Context()))
	exec(t, holder, `SELECT count(*) FROM pgmq.q_orders`)

	err = schema.Migrate(t.Context(), sqlDB(t, pool))
	sqlState(t, err, "55P03")
	equal(t, "its words", as[*pgconn.PgError](t, err).Message, "the tables of the queues are in use by open transactions")
	keeps(t, pool, before)
	equal(t, "functions that would return new columns by a star", value[int](t, pool,
		`SELECT count(*)::int FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND prosrc ~ 'RETURNING \*'`), 0)
	ok(t, holder.Rollback(t.Context()))
	ok(t, schema.Migrate(t.Context(), sqlDB(t, pool)))
	keeps(t, pool, before)
}

// PGMQ's own polls hold a lock on their queue for as long as they wait.
func TestAdoptionIsNotHeldUpByLongPolls(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	installPGMQ(t, pool, "1.8")
	stop := make(chan struct{})
	errs := make(chan error)
	const pollers = 5
	for i := range pollers {
		conn, err := pgx.Connect(t.Context(), dsn(pool))
		ok(t, err)
		go func() {
			defer conn.Close(context.WithoutCancel(t.Context()))
			for {
				select {
				case <-stop:
					errs <- nil
					return
				default:
					if _, err := conn.Exec(t.Context(), `SELECT msg_id, message FROM pgmq.read_with_poll('empty', 30, 1, $1, 50)`, 3+i); err != nil {
						errs <- err
						return
					}
				}
			}
		}()
	}
	eventually(t, "all of them poll", func() bool {
		return value[int](t, pool, `SELECT count(DISTINCT pid)::int FROM pg_locks WHERE granted AND relation = 'pgmq.q_empty'::regclass`) == pollers
	})
	start := time.Now()
	ok(t, schema.Migrate(t.Context(), sqlDB(t, pool)))
	t.Logf("the migration took %v", time.Since(start))
	equal(t, "indexes on vt that are left", value[int](t, pool, `SELECT count(*)::int FROM pg_indexes WHERE schemaname = 'pgmq' AND indexdef ~ '\(vt\)'`), 0)
	close(stop)
	for range pollers {
		ok(t, <-errs)
	}
}
