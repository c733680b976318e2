package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestTerminatedBackendsUnderLoadLoseNothing(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	q := check.OwnQueue[int64](t, pool, "q")
	admin := adminOf(t, pool)
	l := check.SendLoad(t, q, 8, 10*time.Millisecond)
	other := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.MaxConns = 16 })
	consumers := []*check.Consuming{
		check.Consume(t, q, l.Handle, queue.Workers(16), queue.VT(3*time.Second)),
		check.Consume(t, check.Open[int64](t, other, "q"), l.Handle, queue.Workers(16), queue.VT(3*time.Second)),
	}
	l.Resumed(t)
	rounds, killed := 0, 0
	for began := time.Now(); time.Since(began) < 5*time.Second || l.Acknowledged() < 100 && time.Since(began) < check.Patience; rounds++ {
		killed += terminate(t, admin, "true")
		time.Sleep(300 * time.Millisecond)
	}
	t.Logf("%d backends killed in %d rounds; at work %v later", killed, rounds, l.Resumed(t))
	l.Settled(t, pool, "q")
	check.EndAll(t, consumers...)
	outages(t, 0, 2*rounds, consumers...) // a connection that is cut and made anew is none
}

// firstPeek is a tracer that calls do before the first fetch of a single message.
type firstPeek struct {
	once sync.Once
	do   func()
}

func (f *firstPeek) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, q := range data.Batch.QueuedQueries {
		if strings.Contains(q.SQL, "name: Peek") {
			f.once.Do(f.do)
		}
	}
	return ctx
}

func (f *firstPeek) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (f *firstPeek) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (f *firstPeek) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (f *firstPeek) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}

// A message that is fetched by itself meets nothing but dead connections: that is
// no fault of the message.
func TestDeadConnectionsOfThePoolAreNoFaultOfAMessage(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	direct := check.OwnQueue[string](t, pool, "q")
	killed := 0
	const conns = 12
	its := check.PoolLike(t, pool, func(c *pgxpool.Config) {
		c.MinConns, c.MaxConns = conns, conns
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
		c.ConnConfig.RuntimeParams["application_name"] = "consumer"
		c.ConnConfig.Tracer = &firstPeek{do: func() { killed = terminate(t, pool, "application_name = 'consumer'") }}
	})
	check.Eventually(t, "the pool is full", func() bool { return its.Stat().IdleConns() == conns })
	handled := make(chan int, 10)
	c := check.Consume(t, check.Open[string](t, its, "q"), func(_ context.Context, m *queue.Message[string]) error {
		check.Put(handled, m.Reads)
		return nil
	})
	var large strings.Builder // and not compressible
	for large.Len() < 600<<10 {
		fmt.Fprintf(&large, "%x", rand.Uint64())
	}
	check.Send(t, direct, large.String())
	check.Eventually(t, "the message is settled", func() bool { return check.Remains(t, pool, "q") == 0 })
	check.EndAll(t, c)
	for _, e := range c.Of(queue.EventDeadLettered) {
		t.Errorf("message %d is a dead letter: %v", e.ID, e.Err)
	}
	check.Equal(t, "the number of its reads", check.Receive(t, handled), 1)
	if killed < conns {
		t.Errorf("%d sessions were killed, of %d", killed, conns)
	}
}

// asleep waits until a consumer waits for a notification, on a connection that
// was not there before, and returns that connection's backend.
func asleep(t testing.TB, db check.Querier, before int) (pid int) {
	t.Helper()
	check.Eventually(t, "the consumer waits for a notification", func() bool {
		waiting := check.Values[int](t, db, `SELECT l.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
			WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted AND a.datname = current_database()`)
		waiting = slices.DeleteFunc(waiting, func(one int) bool { return one == before })
		if len(waiting) > 0 {
			pid = waiting[0]
		}
		return len(waiting) == 1
	})
	return pid
}

// latency sends a message, waits for its handling, and returns the time between.
func latency(t testing.TB, q *queue.Queue[int64], handled chan time.Time) time.Duration {
	t.Helper()
	began := time.Now()
	check.Send(t, q, 1)
	return check.Receive(t, handled).Sub(began)
}

// stamp is a handler that tells when it was called.
func stamp(handled chan time.Time) queue.Handler[int64] {
	return func(context.Context, *queue.Message[int64]) error {
		check.Put(handled, time.Now())
		return nil
	}
}

func TestALostListeningConnectionIsReplacedAndNothingWaitsLong(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	q := check.OwnQueue[int64](t, pool, "q")
	admin := adminOf(t, pool)
	handled := make(chan time.Time, 1)
	c := check.Consume(t, q, stamp(handled))
	pid := asleep(t, admin, 0)
	check.Repeatedly(t, 10, "to go on without the connection, and with another", func() { // by a look it would be up to 15 s
		check.Equal(t, "killed", terminate(t, admin, "pid = $1", pid), 1)
		polled := latency(t, q, handled)
		pid = asleep(t, admin, pid)
		woken := latency(t, q, handled)
		t.Logf("latency %v without, %v with the connection", polled, woken)
		check.Equal(t, "the listening connection", asleep(t, admin, 0), pid)
	})
	check.EndAll(t, c)
	check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
}

// refuse fails connecting while shut is true.
func refuse(shut *atomic.Bool) func(context.Context, *pgx.ConnConfig) error {
	return func(context.Context, *pgx.ConnConfig) error {
		if shut.Load() {
			return errors.New("no more connections")
		}
		return nil
	}
}

func TestMessagesAreFoundByPollingWhileNobodyCanListen(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	direct := check.OwnQueue[int64](t, pool, "q")
	admin := adminOf(t, pool)
	// The listening connection is the one that is made beside the pool; those of
	// the pool are all there by then.
	var shut atomic.Bool
	few := check.PoolLike(t, pool, func(c *pgxpool.Config) {
		c.MaxConns, c.MinConns = 2, 2
		c.BeforeConnect = refuse(&shut)
	})
	handled := make(chan time.Time, 1)
	c := check.Consume(t, check.Open[int64](t, few, "q"), stamp(handled), queue.PollInterval(200*time.Millisecond))
	pid := asleep(t, admin, 0)
	check.Eventually(t, "the pool is full", func() bool { return few.Stat().TotalConns() == 2 })
	shut.Store(true)
	check.Equal(t, "killed", terminate(t, admin, "pid = $1", pid), 1)
	check.Eventually(t, "it is told that it polls", func() bool { return len(c.Of(queue.EventPolling)) > 0 })
	check.Repeatedly(t, 12, "to find a message", func() { // a consumer that does not poll looks every 15 s
		time.Sleep(rand.N(400 * time.Millisecond)) // idle
		latency(t, direct, handled)
	})
	check.Equal(t, "tellings of the polling", len(c.Of(queue.EventPolling)), 1)
	check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
	shut.Store(false)
	began := time.Now()
	asleep(t, admin, pid)
	check.Eventually(t, "it is told that it listens", func() bool { return len(c.Of(queue.EventListening)) == 1 })
	t.Logf("listening %v after that was possible again", time.Since(began))
	latency(t, direct, handled)
	check.EndAll(t, c)
}
