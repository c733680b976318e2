package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Every function on the same three queues from eight sessions: the only thing
// that can be wrong is that a queue is not there just now.
func TestNoOrderOfCallsDeadlocks(t *testing.T) {
	check.Long(t)
	calls := []string{
		`SELECT pgmq.create($1)`, `SELECT pgmq.create_unlogged($1)`, `SELECT pgmq.create_partitioned($1, '10', '10', 1)`,
		`SELECT pgmq.drop_queue($1)`, `SELECT pgmq.purge_queue($1)`, `CALL pgmq.maintain_partitions($1)`,
		`SELECT pgmq.send($1, '1')`, `SELECT pgmq.send_batch($1, '{1,2,3}')`, `SELECT pgmq.send_topic('dead.lock', '1') WHERE $1 <> ''`,
		`SELECT pgmq.read($1, 0, 5)`, `SELECT pgmq.read($1, 30, 5)`, `SELECT pgmq.read_grouped($1, 0, 5)`, `SELECT pgmq.read_grouped_rr($1, 0, 5)`,
		`SELECT pgmq.pop($1)`, `SELECT pgmq.delete($1, '{1,2,3}'::bigint[])`, `SELECT pgmq.archive($1, '{4,5,6}'::bigint[])`, `SELECT pgmq.set_vt($1, '{7,8}'::bigint[], 0)`,
		`SELECT pgmq.metrics($1)`, `SELECT pgmq.metrics_all() WHERE $1 <> ''`, `SELECT pgmq.list_queues() WHERE $1 <> ''`,
		`SELECT pgmq.create_fifo_index($1)`, `SELECT pgmq.create_fifo_indexes_all() WHERE $1 <> ''`,
		`SELECT pgmq.bind_topic('dead.*', $1)`, `SELECT pgmq.unbind_topic('dead.*', $1)`,
		`SELECT pgmq.enable_notify_insert($1, 0)`, `SELECT pgmq.enable_notify_insert($1, 250)`, `SELECT pgmq.disable_notify_insert($1)`, `SELECT pgmq.update_notify_insert($1, 100)`,
		`SELECT pgmq.convert_archive_partitioned($1, '10', '10', 1)`,
	}
	database := check.OwnDatabase(t)
	pool := check.PoolLike(t, database, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.ConnConfig.RuntimeParams["deadlock_timeout"] = "20ms"
		c.ConnConfig.RuntimeParams["lock_timeout"] = "100s"
	})
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	var sessions errgroup.Group
	for session := range uint64(8) {
		sessions.Go(func() error {
			random := rand.New(rand.NewPCG(session, 42))
			for ctx.Err() == nil {
				call, name := calls[random.IntN(len(calls))], []string{"First", "second", "third-3"}[random.IntN(3)]
				_, err := pool.Exec(context.WithoutCancel(ctx), call, name)
				if err != nil && !notThere(err) {
					return fmt.Errorf("%s of %s: %w%s", call, name, err, detailOf(err))
				}
			}
			return nil
		})
	}
	check.OK(t, sessions.Wait())
}

// notThere tells whether the queue, its trigger or its name was missing, or
// taken by an object that was there a moment before.
func notThere(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "42P01" || pg.Code == "P0001" && slices.ContainsFunc(
		[]string{"does not exist", "does not have notify_insert enabled", "the name is taken"},
		func(words string) bool { return strings.Contains(pg.Message, words) })
}

// detailOf returns the server's details of an error beyond its message, such as the
// processes that waited for each other.
func detailOf(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Detail == "" {
		return ""
	}
	return "\n" + pg.Detail
}

// Messages taken by id are locked in the order of their ids, although they lie
// in the table in another one.
func TestMessagesAreLockedInTheOrderOfTheirIDs(t *testing.T) {
	check.Parallel(t)
	for name, call := range map[string]string{
		"delete":  `SELECT pgmq.delete('orders', '{6,5,4}'::bigint[])`,
		"archive": `SELECT pgmq.archive('orders', '{6,5,4}'::bigint[])`,
		"set_vt":  `SELECT pgmq.set_vt('orders', '{6,5,4}'::bigint[], 30)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			database := check.OwnDatabase(t)
			pool := check.PoolLike(t, database, func(*pgxpool.Config) {})
			for _, sql := range []string{
				`SELECT pgmq.create('orders')`, `SELECT pgmq.send_batch('orders', '{1,2,3,4,5,6}')`,
				// Now 6 lies before 5, and 5 before 4.
				`SELECT pgmq.set_vt('orders', 6, 0)`, `SELECT pgmq.set_vt('orders', 5, 0)`, `SELECT pgmq.set_vt('orders', 4, 0)`,
				// A table known to be this small would be scanned.
				`ANALYZE pgmq.q_orders`,
			} {
				check.Exec(t, pool, sql)
			}
			holder, err := pool.Begin(ctx)
			check.OK(t, err)
			t.Cleanup(func() { _ = holder.Rollback(context.Background()) })
			check.Exec(t, holder, `SELECT FROM pgmq.q_orders WHERE msg_id = 4 FOR UPDATE`)
			done := make(chan error, 1)
			go func() {
				_, err := pool.Exec(ctx, call)
				done <- err
			}()
			check.Eventually(t, "the call waits", func() bool {
				return check.Value[bool](t, pool, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid')`)
			})
			check.Exec(t, pool, `SELECT FROM pgmq.q_orders WHERE msg_id IN (5, 6) FOR UPDATE NOWAIT`)
			check.OK(t, holder.Rollback(ctx))
			check.OK(t, check.Receive(t, done))
		})
	}
}
