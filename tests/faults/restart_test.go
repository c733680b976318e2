package faults

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestARestartUnderLoadLosesNothingAndWorkGoesOn(t *testing.T) {
	check.Parallel(t)
	server, pool := privateServer(t)
	q := check.OwnQueue[int64](t, pool, "q")
	l := check.SendLoad(t, q, 8, 10*time.Millisecond)
	other := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.MaxConns = 16 })
	consumers := []*check.Consuming{
		check.Consume(t, q, l.Handle, queue.Workers(16), queue.VT(3*time.Second)),
		check.Consume(t, check.Open[int64](t, other, "q"), l.Handle, queue.Workers(16), queue.VT(3*time.Second)),
	}
	const crashes = 3
	for range crashes {
		l.Resumed(t)
		time.Sleep(500 * time.Millisecond) // of load
		began := time.Now()
		check.OK(t, server.Restart(t.Context(), postgres.Immediate))
		down := time.Since(began)
		t.Logf("down for %v, at work %v after that", down, l.Resumed(t))
	}
	l.Settled(t, pool, "q")
	check.EndAll(t, consumers...)
	outages(t, 1, 2*crashes, consumers...)
}
