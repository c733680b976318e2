package tests

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/queue"
)

// pollsBehind checks that a consumer told once that it polls, because of a pooler.
func pollsBehind(t testing.TB, c *consuming) {
	t.Helper()
	told := c.of(queue.Polling)
	if len(told) != 1 || !strings.Contains(told[0].Err.Error(), "do not arrive through this connection pooler") {
		t.Errorf("told of polling: %v", told)
	}
}

func TestBehindPgBouncerInTransactionModeConsumePolls(t *testing.T) {
	t.Parallel()
	direct := ownDatabase(t)
	ownQueue[int64](t, direct, "q")
	b := startBouncer(t, "transaction")
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		pool := b.pool(direct, mode)
		q := open[int64](t, pool, "q")
		handled := make(chan time.Time, 1)
		c := consume(t, q, stamp(handled))
		eventually(t, "it polls", func() bool { return len(c.of(queue.Polling)) > 0 })
		var longest time.Duration
		for range 4 {
			time.Sleep(600 * time.Millisecond) // until its pauses are the longest
			longest = max(longest, latency(t, q, handled))
		}
		t.Logf("%v: the longest latency of an idle consumer is %v", mode, longest)
		if longest > time.Second {
			t.Errorf("%v: a message waited %v", mode, longest)
		}
		quiet(t, c)
		pollsBehind(t, c)
		equal(t, "outages", len(c.of(queue.Outage)), 0)
	}
	channels, locks := b.leftBehind(direct)
	if len(channels) > 0 || locks > 0 {
		t.Errorf("left behind: %d channels %v, %d advisory locks", len(channels), channels, locks)
	}
}

func TestBehindPgBouncerLeasesAreExtendedAndAStrangeNotificationHarmsNobody(t *testing.T) {
	t.Parallel()
	direct := ownDatabase(t)
	ownQueue[int64](t, direct, "q")
	b := startBouncer(t, "transaction")
	q := open[int64](t, b.pool(direct, pgx.QueryExecModeExec), "q")
	var begun atomic.Int64
	c := consume(t, q, func(ctx context.Context, _ *queue.Message[int64]) error {
		begun.Add(1)
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
		return context.Cause(ctx)
	}, queue.VT(time.Second), queue.Workers(4))
	for range 4 {
		send(t, q, 1)
	}
	for range 10 {
		exec(t, direct, `SELECT pg_notify('pgmq.wake', 'q_q')`)
	}
	eventually(t, "all are done", func() bool { return remains(t, direct, "q") == 0 })
	equal(t, "deliveries", begun.Load(), 4)
	quiet(t, c)
	equal(t, "outages", len(c.of(queue.Outage)), 0)
}

func TestAKilledPgBouncerLosesNothingAndWorkGoesOn(t *testing.T) {
	t.Parallel()
	direct := ownDatabase(t)
	ownQueue[int64](t, direct, "q")
	b := startBouncer(t, "transaction")
	q := open[int64](t, b.pool(direct, pgx.QueryExecModeExec), "q")
	l := sendLoad(t, q, 8, 5*time.Millisecond)
	consumers := []*consuming{
		consume(t, q, l.handle, queue.Workers(16), queue.VT(3*time.Second)),
		consume(t, open[int64](t, b.pool(direct, pgx.QueryExecModeExec), "q"), l.handle, queue.Workers(16), queue.VT(3*time.Second)),
	}
	for range 2 {
		l.resumed(t)
		time.Sleep(500 * time.Millisecond) // of load
		b.Kill()
		time.Sleep(500 * time.Millisecond) // of nothing
		ok(t, b.Start(t.Context()))
		after := l.resumed(t)
		t.Logf("at work %v after PgBouncer was back", after)
		if after > 10*time.Second {
			t.Errorf("work went on %v after PgBouncer did", after)
		}
	}
	l.settled(t, direct, "q")
	quiet(t, consumers...)
	outages(t, 1, 4, consumers...)
	for _, c := range consumers {
		equal(t, "tellings of the listening", len(c.of(queue.Listening)), 0)
	}
}

func TestBehindPgBouncerInSessionModeConsumeListens(t *testing.T) {
	t.Parallel()
	direct := ownDatabase(t)
	ownQueue[int64](t, direct, "q")
	b := startBouncer(t, "session")
	q := open[int64](t, b.pool(direct, pgx.QueryExecModeExec), "q")
	handled := make(chan time.Time, 1)
	c := consume(t, q, stamp(handled))
	asleep(t, direct, 0)
	var longest time.Duration
	for range 5 {
		time.Sleep(300 * time.Millisecond) // idle
		longest = max(longest, latency(t, q, handled))
	}
	t.Logf("the longest latency of an idle consumer is %v", longest)
	if longest > 250*time.Millisecond {
		t.Errorf("a message waited %v", longest)
	}
	quiet(t, c)
	equal(t, "tellings of polling", len(c.of(queue.Polling)), 0)
	equal(t, "outages", len(c.of(queue.Outage)), 0)
}
