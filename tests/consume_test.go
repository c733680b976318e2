package tests

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// seen collects what an observer is told.
type seen struct {
	mu     sync.Mutex
	events []queue.Event
}

func (s *seen) observe(_ context.Context, e queue.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// of returns the events of a kind so far.
func (s *seen) of(kind queue.EventKind) []queue.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []queue.Event
	for _, e := range s.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// consuming is a Consume in the background.
type consuming struct {
	seen
	t    testing.TB
	stop context.CancelFunc
	done chan error
}

// end stops it and returns what it returned.
func (c *consuming) end() error {
	c.t.Helper()
	c.stop()
	select {
	case err := <-c.done:
		c.done <- err
		return err
	case <-time.After(patience):
		c.t.Fatal("Consume does not return")
		return nil
	}
}

// background runs a consumer of q until the test ends, or end is called.
func background[T any](t testing.TB, q *queue.Queue[T], run func(context.Context, *queue.Queue[T]) error) *consuming {
	t.Helper()
	c := &consuming{t: t, done: make(chan error, 1)}
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	observed := q.Observe(c.observe)
	go func() { c.done <- run(ctx, observed) }()
	t.Cleanup(func() { _ = c.end() })
	return c
}

// consume runs Consume in the background.
func consume[T any](t testing.TB, q *queue.Queue[T], handle queue.Handler[T], opts ...queue.ConsumeOption) *consuming {
	t.Helper()
	return background(t, q, func(ctx context.Context, q *queue.Queue[T]) error { return q.Consume(ctx, handle, opts...) })
}

func TestConsumeHandlesEachMessageOnceAndDeletesIt(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 5000))
	var mu sync.Mutex
	handled := map[int64]int{}
	c := consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		mu.Lock()
		defer mu.Unlock()
		handled[m.ID]++
		return nil
	})
	eventually(t, "the queue is empty", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	equal(t, "settled", len(c.of(queue.Settled)), len(sent))
	mu.Lock()
	defer mu.Unlock()
	eachOnce(t, handled, sent)
}

func TestAFailedHandlerGetsItsMessageBackAfterTheBackoff(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{ID: 1})
	var times []time.Time
	var asked []int64
	done := make(chan struct{})
	c := consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
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
	ok(t, c.end())
	equalAll(t, "failed deliveries that the backoff was asked for", asked, []int64{1, 2})
	for i, want := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond} {
		if got := times[i+1].Sub(times[i]); got < want || got > want+2*time.Second { // a busy machine
			t.Errorf("delivery %d came %v after the one before, not %v", i+2, got, want)
		}
	}
	equal(t, "messages", length(t, q), 0)
}

// One announcement reaches one consumer of a process; each that finds something
// wakes the next.
func TestManyIdleConsumersOfOneProcessShareWhatComes(t *testing.T) {
	t.Parallel()
	const many = 50
	q := pgtest.Queue[Order](t)
	var together atomic.Int64
	release := make(chan struct{})
	for range many {
		consume(t, q, func(context.Context, *queue.Message[Order]) error {
			together.Add(1)
			<-release
			return nil
		}, queue.Workers(1), queue.Prefetch(0))
	}
	time.Sleep(500 * time.Millisecond) // they are idle
	start := time.Now()
	sendBatch(t, q, make([]Order, many))
	eventually(t, "each has a message", func() bool { return together.Load() == many })
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Log("it took", took)
	}
	close(release)
	eventually(t, "all are done", func() bool { return length(t, q) == 0 })
}

func TestAPlainInsertIsFoundWithinHalfTheVTOrAtOnceWhenItIsAnnounced(t *testing.T) {
	t.Parallel()
	for announcement, most := range map[string]time.Duration{
		"": 3 * time.Second, // the VT is 4 s
		`SELECT pgmq._notify_consumers('q_' || $1)`: time.Second,
	} {
		q := pgtest.Queue[Order](t)
		handled := make(chan struct{})
		consume(t, q, func(context.Context, *queue.Message[Order]) error {
			close(handled)
			return nil
		}, queue.VT(4*time.Second))
		idle(t, q)
		start := time.Now()
		exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '{}')`))
		if announcement != "" {
			exec(t, pgtest.Pool(), announcement, q.Name())
		}
		<-handled
		if took := time.Since(start); took > most {
			t.Errorf("%q: it took %v", announcement, took)
		}
	}
}

func TestAnIdleConsumerIsWokenAtOnce(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[time.Time](t)
	var most atomic.Int64
	var n atomic.Int64
	consume(t, q, func(_ context.Context, m *queue.Message[time.Time]) error {
		most.Store(max(most.Load(), int64(time.Since(m.Body))))
		n.Add(1)
		return nil
	})
	time.Sleep(300 * time.Millisecond)
	for range 20 {
		send(t, q, time.Now())
		time.Sleep(50 * time.Millisecond)
	}
	eventually(t, "all are handled", func() bool { return n.Load() == 20 })
	// Without a wake-up it would be seconds.
	if longest := time.Duration(most.Load()); longest > time.Second {
		t.Errorf("a message waited for %v", longest)
	}
}
