package migrate

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// While one queue is held, the others are blocked for moments only; a migration
// that was stopped leaves everything in use, and works when it is repeated.
func TestAdoptionGivesWayToOpenTransactions(t *testing.T) {
	check.Long(t)
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
			check.InstallPGMQ(t, pool, is.version)
			before := kept(t, pool)
			holder, err := pool.Begin(t.Context())
			check.OK(t, err)
			defer holder.Rollback(context.WithoutCancel(t.Context()))
			check.Exec(t, holder, is.holding)

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- schema.Migrate(ctx, check.SQLDB(t, pool)) }()

			if is.waited != "" {
				check.Eventually(t, "the migration waits", func() bool {
					return check.Value[bool](t, pool, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass)`, is.waited)
				})
			}
			// Those that sort before and after, one that notifies as well, and
			// the one that is held.
			clients := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["lock_timeout"] = "20s" })
			for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				for _, name := range []string{"latest", "MyQueue", "fast", "orders"} {
					check.Exec(t, clients, `SELECT pgmq.read($1, 0, 0)`, name)
					if name != "orders" {
						check.Exec(t, clients, `BEGIN; SELECT pgmq.send('`+name+`', '{}'); ROLLBACK`)
					}
				}
			}

			if is.waited == "" {
				check.OK(t, check.Receive(t, done))
				check.OK(t, holder.Rollback(t.Context()))
			} else {
				cancel()
				if check.Receive(t, done) == nil {
					t.Fatal("the migration went through a locked queue")
				}
				keeps(t, pool, before)
				check.OK(t, holder.Rollback(t.Context()))
				check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
			}
			keeps(t, pool, before)
			check.Exec(t, pool, `SELECT pgmq.create('made by us'); SELECT pgmq._apply_storage('orders')`)
			check.Same(t, "storage", storage(t, pool, "q_orders"), storage(t, pool, "q_made by us"))
		})
	}
}

func TestAdoptionThatCannotGetAQueueSaysSo(t *testing.T) {
	check.Slow(t) // it waits for a minute
	pool := pgtest.Database(t)
	check.InstallPGMQ(t, pool, "1.8")
	before := kept(t, pool)
	holder, err := pool.Begin(t.Context())
	check.OK(t, err)
	defer holder.Rollback(context.WithoutCancel(t.Context()))
	check.Exec(t, holder, `SELECT count(*) FROM pgmq.q_orders`)

	err = schema.Migrate(t.Context(), check.SQLDB(t, pool))
	check.SQLState(t, err, "55P03")
	check.Equal(t, "its words", check.As[*pgconn.PgError](t, err).Message, "the tables of the queues are in use by open transactions")
	keeps(t, pool, before)
	check.Equal(t, "functions that would return new columns by a star", check.Value[int](t, pool,
		`SELECT count(*)::int FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND prosrc ~ 'RETURNING \*'`), 0)
	check.OK(t, holder.Rollback(t.Context()))
	check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
	keeps(t, pool, before)
}

// PGMQ's own polls hold a lock on their queue for as long as they wait.
func TestAdoptionIsNotHeldUpByLongPolls(t *testing.T) {
	check.Long(t)
	pool := pgtest.Database(t)
	check.InstallPGMQ(t, pool, "1.8")
	stop := make(chan struct{})
	errs := make(chan error, 5)
	const pollers = 5
	for i := range pollers {
		conn, err := pgx.Connect(t.Context(), check.DSN(pool))
		check.OK(t, err)
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
	check.Eventually(t, "all of them poll", func() bool {
		return check.Value[int](t, pool, `SELECT count(DISTINCT pid)::int FROM pg_locks WHERE granted AND relation = 'pgmq.q_empty'::regclass`) == pollers
	})
	start := time.Now()
	check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
	t.Logf("the migration took %v", time.Since(start))
	check.Equal(t, "indexes on vt that are left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_indexes WHERE schemaname = 'pgmq' AND indexdef ~ '\(vt\)'`), 0)
	close(stop)
	for range pollers {
		check.OK(t, check.Receive(t, errs))
	}
}
