package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// oldClients are programs that know nothing of a migration and call functions of PGMQ
// 1.4, each on a connection of its own.
type oldClients struct {
	mu       sync.Mutex
	sent     map[string]bool // bodies, by the sends that returned
	finished map[string]bool // bodies that were deleted or popped
	errors   map[string]int  // by statement and SQLSTATE
	calls    int
	slowest  time.Duration
}

// startOldClients lets n of them work on the queues until stop is called.
func startOldClients(t testing.TB, pool *pgxpool.Pool, mode pgx.QueryExecMode, n int, queues ...string) (c *oldClients, stop func()) {
	t.Helper()
	c = &oldClients{sent: map[string]bool{}, finished: map[string]bool{}, errors: map[string]int{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	for i := range n {
		config, err := pgx.ParseConfig(check.DSN(pool))
		check.OK(t, err)
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(t.Context(), config)
		check.OK(t, err)
		wg.Go(func() {
			defer conn.Close(context.WithoutCancel(ctx))
			for k := 0; ctx.Err() == nil; k++ {
				time.Sleep(time.Millisecond) // as applications have other things to do
				c.work(context.WithoutCancel(ctx), conn, queues[rand.IntN(len(queues))], fmt.Sprintf("client %d, message %d", i, k))
			}
		})
	}
	return c, func() {
		cancel()
		wg.Wait()
	}
}

// call runs one statement and returns its rows as text, nil after an error.
func (c *oldClients) call(ctx context.Context, conn *pgx.Conn, sql string, args ...any) []string {
	start := time.Now()
	rows, err := conn.Query(ctx, sql, args...)
	var got []string
	if err == nil {
		got, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.slowest = max(c.slowest, time.Since(start))
	if err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			c.errors[pg.Code+" "+pg.Message+" | "+sql]++
		} else {
			c.errors[err.Error()+" | "+sql]++
		}
		return nil
	}
	return got
}

func (c *oldClients) work(ctx context.Context, conn *pgx.Conn, queue, body string) {
	if c.call(ctx, conn, `SELECT pgmq.send($1, jsonb_build_object('body', $2::text))::text`, queue, body) != nil {
		c.note(c.sent, body)
	}
	got := c.call(ctx, conn, `SELECT msg_id || ' ' || (message ->> 'body') FROM pgmq.read($1, 60, 1) WHERE message ? 'body'`, queue)
	for _, row := range got {
		id, read, _ := strings.Cut(row, " ")
		switch rand.IntN(3) {
		case 0:
			if done := c.call(ctx, conn, `SELECT pgmq.archive($1, $2::bigint)::text`, queue, id); done != nil && done[0] == "false" {
				c.fault("archive found nothing")
			}
		case 1:
			c.call(ctx, conn, `SELECT msg_id::text FROM pgmq.set_vt($1, $2::bigint, 0)`, queue, id)
		default:
			if done := c.call(ctx, conn, `SELECT pgmq.delete($1, $2::bigint)::text`, queue, id); done != nil && done[0] == "true" {
				c.note(c.finished, read)
			}
		}
	}
	for _, popped := range c.call(ctx, conn, `SELECT coalesce(message ->> 'body', '') FROM pgmq.pop($1)`, queue) {
		c.note(c.finished, popped)
	}
	if rand.IntN(10) == 0 {
		c.call(ctx, conn, `SELECT msg_id::text FROM pgmq.read_with_poll($1, 0, 1, 1, 10)`, queue)
	}
	c.call(ctx, conn, `SELECT queue_length::text FROM pgmq.metrics($1)`, queue)
}

func (c *oldClients) note(set map[string]bool, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set[body] = true
}

func (c *oldClients) fault(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errors[what]++
}

// lost counts messages that were sent, and are neither settled nor anywhere.
func (c *oldClients) lost(t testing.TB, pool *pgxpool.Pool, queues ...string) int {
	t.Helper()
	found := map[string]bool{}
	for _, queue := range queues {
		for _, body := range check.Values[string](t, pool, check.Tables(queue, `
			SELECT message ->> 'body' FROM {Q} WHERE message ? 'body' UNION ALL SELECT message ->> 'body' FROM {A} WHERE message ? 'body'`)) {
			found[body] = true
		}
	}
	lost := 0
	for body := range c.sent {
		if !found[body] && !c.finished[body] {
			lost++
		}
	}
	return lost
}

// justified tells of the two errors that a call may meet when it is under way at
// the very moment of a change. Both undo the call and nothing else.
func justified(version, what string) bool {
	switch {
	case strings.HasPrefix(what, "42804 function return row and query-specified return row do not match"):
		// The result of metrics got more columns.
		return version != "1.13" && strings.Contains(what, "pgmq.metrics")
	case strings.HasPrefix(what, "XX000 cache lookup failed for function"):
		// It had arguments or defaults that cannot be replaced.
		return version == "1.4" || version == "1.5" && strings.Contains(what, "pgmq.pop")
	}
	return false
}

func TestOldClientsGoOnWhilePGMQIsAdopted(t *testing.T) {
	check.Parallel(t)
	for _, version := range check.PGMQVersions {
		for name, mode := range map[string]pgx.QueryExecMode{"simple": pgx.QueryExecModeSimpleProtocol, "prepared": pgx.QueryExecModeCacheStatement} {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				pool, queues := pgtest.Database(t), []string{"orders", "MyQueue", "Order-Events.v2"}
				check.InstallPGMQ(t, pool, version)
				clients, stop := startOldClients(t, pool, mode, 4, queues...)
				check.Eventually(t, "all clients work", func() bool {
					clients.mu.Lock()
					defer clients.mu.Unlock()
					return clients.calls > 100
				})
				start := time.Now()
				err := schema.Migrate(context.WithoutCancel(t.Context()), check.SQLDB(t, pool))
				took := time.Since(start)
				stop()
				check.OK(t, err)
				t.Logf("%v for the migration, %d calls, the slowest %v", took, clients.calls, clients.slowest)
				for what, times := range clients.errors {
					if !justified(version, what) {
						t.Errorf("%d times %s", times, what)
					}
				}
				check.Equal(t, "messages lost", clients.lost(t, pool, queues...), 0)
			})
		}
	}
}
