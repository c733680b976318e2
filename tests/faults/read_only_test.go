package faults

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// failedOver is a pool whose connections so far lead to a server that does not write,
// and whose new ones lead to one that does.
func failedOver(t *testing.T) *pgxpool.Pool {
	t.Helper()
	var over atomic.Bool
	pool := check.NewPool(t, func(c *pgxpool.Config) {
		c.MaxConns = 3
		c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			if !over.Load() {
				c.RuntimeParams["default_transaction_read_only"] = "on"
			}
			return nil
		}
	})
	var conns []*pgxpool.Conn
	for range 3 {
		conn, err := pool.Acquire(t.Context())
		check.OK(t, err)
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		conn.Release()
	}
	over.Store(true)
	return pool
}

func TestAPoolThatIsReadOnlyNowDialsAnew(t *testing.T) {
	check.Parallel(t)
	for name, do := range map[string]func(context.Context, *pgxpool.Pool, *queue.Queue[check.Order], *queue.Message[check.Order]) error{
		"send": func(ctx context.Context, _ *pgxpool.Pool, q *queue.Queue[check.Order], _ *queue.Message[check.Order]) error {
			_, err := q.Send(ctx, check.Order{})
			return err
		},
		"send batch": func(ctx context.Context, _ *pgxpool.Pool, q *queue.Queue[check.Order], _ *queue.Message[check.Order]) error {
			_, err := q.SendBatch(ctx, make([]check.Order, 3))
			return err
		},
		"read": func(ctx context.Context, _ *pgxpool.Pool, q *queue.Queue[check.Order], _ *queue.Message[check.Order]) error {
			_, err := q.Read(ctx, 1)
			return err
		},
		"delete": func(ctx context.Context, _ *pgxpool.Pool, q *queue.Queue[check.Order], m *queue.Message[check.Order]) error {
			return q.Delete(ctx, m)
		},
		"create": func(ctx context.Context, pool *pgxpool.Pool, q *queue.Queue[check.Order], _ *queue.Message[check.Order]) error {
			return admin.Create(ctx, pool, q.Name()+"_more")
		},
		"purge": func(ctx context.Context, pool *pgxpool.Pool, q *queue.Queue[check.Order], _ *queue.Message[check.Order]) error {
			_, err := admin.Purge(ctx, pool, q.Name())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := pgtest.Queue[check.Order](t)
			check.Send(t, direct, check.Order{})
			m := check.ReadOne(t, direct)
			pool := failedOver(t)
			q := check.Open[check.Order](t, pool, direct.Name())
			if do(t.Context(), pool, q, m) == nil {
				t.Error("it wrote on a read-only server")
			}
			check.OK(t, do(t.Context(), pool, q, m))
		})
	}
}

func TestConsumersOfAPoolThatIsReadOnlyNowGoOn(t *testing.T) {
	check.Parallel(t)
	for name, consume := range map[string]func(context.Context, *queue.Queue[check.Order], queue.ConsumeOption) error{
		"one": func(ctx context.Context, q *queue.Queue[check.Order], observe queue.ConsumeOption) error {
			return q.Consume(ctx, func(context.Context, *queue.Message[check.Order]) error { return nil }, observe)
		},
		"a transaction": func(ctx context.Context, q *queue.Queue[check.Order], observe queue.ConsumeOption) error {
			return q.ConsumeTx(ctx, func(context.Context, pgx.Tx, *queue.Message[check.Order]) error { return nil }, observe)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := pgtest.Queue[check.Order](t)
			check.SendBatch(t, direct, check.Numbered(20))
			pool := failedOver(t)
			c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
				return consume(ctx, check.Open[check.Order](t, pool, direct.Name()), observe)
			})
			check.Eventually(t, "all are done", func() bool { return check.Length(t, direct) == 0 })
			check.EndAll(t, c)
		})
	}
}

// A listening connection to a server that does not write never gets a notification.
func TestAListenerOfAReadOnlyServerLooksForAnother(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[check.Order](t)
	name := "writes " + direct.Name()
	var over atomic.Bool
	pool := check.NewPool(t, func(c *pgxpool.Config) {
		c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			if over.Load() {
				c.RuntimeParams["application_name"] = name
			} else {
				c.RuntimeParams["default_transaction_read_only"] = "on"
			}
			return nil
		}
	})
	c := check.Consume(t, check.Open[check.Order](t, pool, direct.Name()),
		func(context.Context, *queue.Message[check.Order]) error { return nil })
	check.Eventually(t, "an outage", func() bool { return len(c.Of(queue.EventOutage)) == 1 })
	over.Store(true)
	check.Eventually(t, "it is subscribed where senders write", func() bool {
		return check.Value[int](t, pgtest.Pool(), `
			SELECT count(*)::int FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE locktype = 'advisory' AND application_name = $1`, name) == 1
	})
	check.Send(t, direct, check.Order{})
	check.Eventually(t, "it is done", func() bool { return check.Length(t, direct) == 0 })
	check.EndAll(t, c)
}
