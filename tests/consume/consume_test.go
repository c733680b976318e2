package consume

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestConsumeHandlesEachMessageOnceAndDeletesIt(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 5000))
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
		return time.Duration(reads) * 200 * time.Millisecond
	}))
	<-done
	check.OK(t, c.End())
	check.EqualAll(t, "failed deliveries that the backoff was asked for", asked, []int64{1, 2})
	for i, want := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond} {
		if got := times[i+1].Sub(times[i]); got < want || got > want+2*time.Second { // a busy machine
			t.Errorf("delivery %d came %v after the one before, not %v", i+2, got, want)
		}
	}
	check.Equal(t, "messages", check.Length(t, q), 0)
}

// One announcement reaches one consumer of a process; each that finds something
// wakes the next.
func TestManyIdleConsumersOfOneProcessShareWhatComes(t *testing.T) {
	check.Parallel(t)
	const many = 50
	q := pgtest.Queue[check.Order](t)
	var together atomic.Int64
	release := make(chan struct{})
	for range many {
		check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error {
			together.Add(1)
			<-release
			return nil
		}, queue.Workers(1), queue.NoPrefetch)
	}
	time.Sleep(500 * time.Millisecond) // they are idle
	start := time.Now()
	check.SendBatch(t, q, make([]check.Order, many))
	check.Eventually(t, "each has a message", func() bool { return together.Load() == many })
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Log("it took", took)
	}
	close(release)
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
}

func TestAPlainInsertIsFoundWithinHalfTheVTOrAtOnceWhenItIsAnnounced(t *testing.T) {
	check.Parallel(t)
	for announcement, most := range map[string]time.Duration{
		"":                              3 * time.Second, // the VT is 4 s
		`SELECT pgmq._wake('q_' || $1)`: time.Second,
	} {
		q := pgtest.Queue[check.Order](t)
		handled := make(chan struct{})
		check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error {
			close(handled)
			return nil
		}, queue.VT(4*time.Second))
		idle(t, q)
		start := time.Now()
		check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '{}')`))
		if announcement != "" {
			check.Exec(t, pgtest.Pool(), announcement, q.Name())
		}
		<-handled
		if took := time.Since(start); took > most {
			t.Errorf("%q: it took %v", announcement, took)
		}
	}
}

func TestAnIdleConsumerIsWokenAtOnce(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[time.Time](t)
	var most atomic.Int64
	var n atomic.Int64
	check.Consume(t, q, func(_ context.Context, m *queue.Message[time.Time]) error {
		most.Store(max(most.Load(), int64(time.Since(m.Body))))
		n.Add(1)
		return nil
	})
	time.Sleep(300 * time.Millisecond)
	for range 20 {
		check.Send(t, q, time.Now())
		time.Sleep(50 * time.Millisecond)
	}
	check.Eventually(t, "all are handled", func() bool { return n.Load() == 20 })
	// Without a wake-up it would be seconds.
	if longest := time.Duration(most.Load()); longest > time.Second {
		t.Errorf("a message waited for %v", longest)
	}
}
