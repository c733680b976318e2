package api

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestASendThatIsGivenUpOnItsWayIsUnknown(t *testing.T) {
	check.Parallel(t)
	for what, send := range map[string]func(context.Context, *pgxpool.Pool, string) error{
		"Send": func(ctx context.Context, pool *pgxpool.Pool, name string) error {
			_, err := check.Open[int64](t, pool, name).Send(ctx, 1)
			return err
		},
		"SendBatch": func(ctx context.Context, pool *pgxpool.Pool, name string) error {
			_, err := check.Open[int64](t, pool, name).SendBatch(ctx, []int64{1})
			return err
		},
		"SendMessages": func(ctx context.Context, pool *pgxpool.Pool, name string) error {
			_, err := check.Open[int64](t, pool, name).SendMessages(ctx, []queue.Outgoing[int64]{{Body: 1}}...)
			return err
		},
		"Send on a connection": func(ctx context.Context, pool *pgxpool.Pool, name string) error {
			conn, err := pool.Acquire(context.Background())
			check.OK(t, err)
			defer conn.Release()
			_, err = check.Open[int64](t, conn.Conn(), name).Send(ctx, 1)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			direct := pgtest.Queue[int64](t)
			var givenUp atomic.Bool
			pool, p := check.Proxied(t, func(c *pgxpool.Config) {
				dial := c.ConnConfig.DialFunc
				c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if givenUp.Load() { // pgx would ask the server to cancel the statement
						return nil, check.ErrWork
					}
					return dial(ctx, network, addr)
				}
			})
			check.OK(t, send(t.Context(), pool, direct.Name())) // the connection is there
			p.Silence()
			givenUp.Store(true)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err := send(ctx, pool, direct.Name())
			p.Speak()
			check.Eventually(t, "the message arrives all the same", func() bool { return check.Length(t, direct) == 2 })
			check.Is(t, err, context.DeadlineExceeded)
			check.Is(t, err, queue.ErrOutcomeUnknown)
		})
	}
}
