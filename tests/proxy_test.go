package tests

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/netfault"
)

// through is a pool like the tests', whose connections go through a proxy.
func through(t *testing.T, change func(*pgxpool.Config)) (*pgxpool.Pool, *netfault.Proxy) {
	t.Helper()
	config := pgtest.Pool().Config().ConnConfig
	p := netfault.NewProxy(pgconn.NetworkAddress(config.Host, config.Port))
	ok(t, p.Open())
	t.Cleanup(p.Close)
	return newPool(t, func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", p.Addr())
		}
		change(c)
	}), p
}

func TestQueueWorksAgainWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	ctx, direct := t.Context(), pgtest.Queue[int64](t)
	pool, p := through(t, func(*pgxpool.Config) {})
	q := open[int64](t, pool, direct.Name())

	acknowledged := map[int64]bool{}
	for range 3 {
		acknowledged[send(t, q, 1)] = true
		held := read(t, q, 1)[0]
		p.Close()
		// Everything fails, in a way that can be handled, and comes back.
		if id, err := q.Send(ctx, 2); err == nil {
			t.Fatalf("message %d was sent to nobody", id)
		}
		if _, err := q.Read(ctx, 1, queue.Wait(time.Hour)); err == nil {
			t.Fatal("something was read from nobody")
		}
		if err := q.Delete(ctx, held); err == nil {
			t.Fatal("something was deleted at nobody's")
		}
		ok(t, p.Open())
		eventually(t, "the queue works again", func() bool {
			id, err := q.Send(ctx, 3)
			if err == nil {
				acknowledged[id] = true
			}
			return err == nil
		})
		// The receipt outlived the connection that it was given on.
		ok(t, q.Delete(ctx, held))
		delete(acknowledged, held.ID)
	}
	for _, m := range read(t, direct, 100) {
		delete(acknowledged, m.ID)
	}
	equal(t, "the number of acknowledged messages that were lost", len(acknowledged), 0)
}
