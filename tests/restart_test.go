package tests

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
)

func TestARestartUnderLoadLosesNothingAndWorkGoesOn(t *testing.T) {
	t.Parallel()
	server, pool := privateServer(t)
	q := ownQueue[int64](t, pool, "q")
	l := sendLoad(t, q, 8, 5*time.Millisecond)
	other := poolLike(t, pool, func(c *pgxpool.Config) { c.MaxConns = 16 })
	consumers := []*consuming{
		consume(t, q, l.handle, queue.Workers(16), queue.VT(3*time.Second)),
		consume(t, open[int64](t, other, "q"), l.handle, queue.Workers(16), queue.VT(3*time.Second)),
	}
	const crashes = 3
	for range crashes {
		l.resumed(t)
		time.Sleep(500 * time.Millisecond) // of load
		began := time.Now()
		ok(t, server.Restart(t.Context(), postgres.Immediate))
		down := time.Since(began)
		after := l.resumed(t)
		t.Logf("down for %v, at work %v after that", down, after)
		if after > 10*time.Second {
			t.Errorf("work went on %v after the server did", after)
		}
	}
	l.settled(t, pool, "q")
	quiet(t, consumers...)
	outages(t, 1, 2*crashes, consumers...)
}
