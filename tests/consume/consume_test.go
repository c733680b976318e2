package consume

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestConsumeHandlesEachMessageOnceAndDeletesIt(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 3000))
	var mu sync.Mutex
	handled := map[int64]int{}
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		mu.Lock()
		defer mu.Unlock()
		handled[m.ID]++
		return nil
	})
	check.Eventually(t, "the queue is empty", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "settled", len(c.Of(queue.EventSettled)), len(sent))
	mu.Lock()
	defer mu.Unlock()
	check.EachOnce(t, handled, sent)
}

func TestAFailedHandlerGetsItsMessageBackAfterTheBackoff(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{ID: 1})
	const unit = 200 * time.Millisecond
	var times []time.Time
	var asked []int64
	done := make(chan struct{})
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		times = append(times, time.Now())
		if m.Reads < 3 {
			return errors.New("not yet")
		}
		close(done)
		return nil
	}, queue.Backoff(func(reads int) time.Duration {
		asked = append(asked, int64(reads))
		return time.Duration(reads) * unit
	}))
	check.Receive(t, done)
	check.OK(t, c.End())
	check.EqualAll(t, "failed deliveries that the backoff was asked for", asked, []int64{1, 2})
	for i, e := range c.Of(queue.EventRetried) {
		check.Equal(t, "the time to the next delivery", e.RetryIn, time.Duration(i+1)*unit)
		if got := times[i+1].Sub(times[i]); got < e.RetryIn {
			t.Errorf("delivery %d came %v after the one before, and not %v", i+2, got, e.RetryIn)
		}
	}
	check.Equal(t, "messages", check.Length(t, q), 0)
}

// One notification reaches one consumer of a process; each that finds something
// wakes the next.
func TestManyIdleConsumersOfOneProcessShareWhatComes(t *testing.T) {
	check.Parallel(t)
	const many = 20
	q := pgtest.Queue[check.Order](t)
	pool, statements := traced(t, pgtest.Pool())
	consumed := check.Open[check.Order](t, pool, q.Name())
	var together atomic.Int64
	release := make(chan struct{})
	for range many {
		check.Consume(t, consumed, func(context.Context, *queue.Message[check.Order]) error {
			together.Add(1)
			check.Hold(release)
			return nil
		}, queue.Workers(1), queue.NoPrefetch)
	}
	// A consumer without a notification scans every 15 s.
	check.Repeatedly(t, 12, "a message for each", func() {
		statements.Rest(t)
		check.SendBatch(t, q, make([]check.Order, many))
		check.Eventually(t, "each has a message", func() bool { return together.Load() == many })
		for range many {
			check.Put(release, struct{}{})
		}
		check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
		together.Store(0)
	})
}

// traced is a pool whose statements are remembered.
func traced(t testing.TB, like *pgxpool.Pool) (*pgxpool.Pool, *check.Tracer) {
	t.Helper()
	var statements check.Tracer
	return check.PoolLike(t, like, func(c *pgxpool.Config) { c.ConnConfig.Tracer = &statements }), &statements
}

func TestAPlainInsertIsFoundWithinHalfTheVTOrAtOnceWithANotification(t *testing.T) {
	check.Parallel(t)
	for notification, how := range map[string]struct {
		vt time.Duration // half of it is far less than Patience, for so many times, or far more
		n  int
	}{
		"": {4 * time.Second, 5},
		`SELECT pgmq._notify_consumers('q_' || $1)`: {time.Hour, 16}, // at the latest it looks every 15 s
	} {
		t.Run(notification, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[check.Order](t)
			pool, statements := traced(t, pgtest.Pool())
			handled := make(chan struct{}, how.n)
			check.Consume(t, check.Open[check.Order](t, pool, q.Name()), func(context.Context, *queue.Message[check.Order]) error {
				handled <- struct{}{}
				return nil
			}, queue.VT(how.vt))
			check.Repeatedly(t, how.n, "to find one", func() {
				idle(t, q)
				statements.Rest(t)
				check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '{}')`))
				if notification != "" {
					check.Exec(t, pgtest.Pool(), notification, q.Name())
				}
				check.Receive(t, handled)
			})
		})
	}
}

func TestAnIdleConsumerIsWokenAtOnce(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	pool, statements := traced(t, pgtest.Pool())
	handled := make(chan struct{}, 1)
	check.Consume(t, check.Open[check.Order](t, pool, q.Name()), func(context.Context, *queue.Message[check.Order]) error {
		handled <- struct{}{}
		return nil
	})
	idle(t, q)
	check.Repeatedly(t, 20, "a wake-up", func() { // without one it would be up to 15 s
		statements.Rest(t)
		check.Send(t, q, check.Order{})
		check.Receive(t, handled)
	})
}
