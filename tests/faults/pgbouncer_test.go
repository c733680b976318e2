package faults

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// pollsBehind checks that a consumer told once that it polls, because of a pooler.
func pollsBehind(t testing.TB, c *check.Consuming) {
	t.Helper()
	told := c.Of(queue.EventPolling)
	if len(told) != 1 || !strings.Contains(told[0].Err.Error(), "do not arrive through this connection pooler") {
		t.Errorf("told of polling: %v", told)
	}
}

func TestBehindPgBouncerInTransactionModeConsumePolls(t *testing.T) {
	check.Parallel(t)
	direct := check.OwnDatabase(t)
	check.OwnQueue[int64](t, direct, "q")
	b := check.StartBouncer(t, "transaction")
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		pool := b.Pool(direct, mode)
		q := check.Open[int64](t, pool, "q")
		handled := make(chan time.Time, 1)
		c := check.Consume(t, q, stamp(handled))
		check.Eventually(t, "it polls", func() bool { return len(c.Of(queue.EventPolling)) > 0 })
		check.Repeatedly(t, 10, "to find a message", func() { // a consumer that does not poll looks every 15 s
			latency(t, q, handled)
		})
		check.EndAll(t, c)
		pollsBehind(t, c)
		check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
	}
	channels, locks := b.LeftBehind(direct)
	if len(channels) > 0 || locks > 0 {
		t.Errorf("left behind: %d channels %v, %d advisory locks", len(channels), channels, locks)
	}
}

func TestBehindPgBouncerLeasesAreExtendedAndAStrangeNotificationHarmsNobody(t *testing.T) {
	check.Parallel(t)
	direct := check.OwnDatabase(t)
	check.OwnQueue[int64](t, direct, "q")
	b := check.StartBouncer(t, "transaction")
	q := check.Open[int64](t, b.Pool(direct, pgx.QueryExecModeExec), "q")
	var begun atomic.Int64
	c := check.Consume(t, q, func(ctx context.Context, _ *queue.Message[int64]) error {
		begun.Add(1)
		select {
		case <-time.After(7 * time.Second):
		case <-ctx.Done():
		}
		return context.Cause(ctx)
	}, queue.VT(3*time.Second), queue.Workers(4))
	for range 4 {
		check.Send(t, q, 1)
	}
	for range 10 {
		check.Exec(t, direct, `SELECT pg_notify('pgmq.wake', 'q_q')`)
	}
	check.Eventually(t, "all are done", func() bool { return check.Remains(t, direct, "q") == 0 })
	check.Equal(t, "deliveries", begun.Load(), 4)
	check.EndAll(t, c)
	check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
}

func TestAKilledPgBouncerLosesNothingAndWorkGoesOn(t *testing.T) {
	check.Parallel(t)
	direct := check.OwnDatabase(t)
	check.OwnQueue[int64](t, direct, "q")
	b := check.StartBouncer(t, "transaction")
	q := check.Open[int64](t, b.Pool(direct, pgx.QueryExecModeExec), "q")
	l := check.SendLoad(t, q, 8, 10*time.Millisecond)
	consumers := []*check.Consuming{
		check.Consume(t, q, l.Handle, queue.Workers(16), queue.VT(3*time.Second)),
		check.Consume(t, check.Open[int64](t, b.Pool(direct, pgx.QueryExecModeExec), "q"), l.Handle, queue.Workers(16), queue.VT(3*time.Second)),
	}
	for range 2 {
		l.Resumed(t)
		time.Sleep(500 * time.Millisecond) // of load
		b.Kill()
		notices(t, consumers...)
		check.OK(t, b.Start(t.Context()))
		t.Logf("at work %v after PgBouncer was back", l.Resumed(t))
	}
	l.Settled(t, direct, "q")
	check.EndAll(t, consumers...)
	outages(t, 1, 4, consumers...)
	for _, c := range consumers {
		check.Equal(t, "tellings of the listening", len(c.Of(queue.EventListening)), 0)
	}
}

func TestBehindPgBouncerInSessionModeConsumeListens(t *testing.T) {
	check.Parallel(t)
	direct := check.OwnDatabase(t)
	check.OwnQueue[int64](t, direct, "q")
	b := check.StartBouncer(t, "session")
	q := check.Open[int64](t, b.Pool(direct, pgx.QueryExecModeExec), "q")
	handled := make(chan time.Time, 1)
	c := check.Consume(t, q, stamp(handled))
	asleep(t, direct, 0)
	check.Repeatedly(t, 10, "a wake-up", func() { // without one it would be up to 15 s
		asleep(t, direct, 0)
		latency(t, q, handled)
	})
	check.EndAll(t, c)
	check.Equal(t, "tellings of polling", len(c.Of(queue.EventPolling)), 0)
	check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
}
