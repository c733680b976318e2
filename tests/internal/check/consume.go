package check

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/queue"
)

// Seen collects the events of an observer.
type Seen struct {
	mu     sync.Mutex
	events []queue.Event
}

// Observe is the observer.
func (s *Seen) Observe(_ context.Context, e queue.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// All returns the events so far.
func (s *Seen) All() []queue.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Of returns the events of a kind so far.
func (s *Seen) Of(kind queue.EventKind) []queue.Event {
	var found []queue.Event
	for _, e := range s.All() {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// Consuming is a Consume in the background.
type Consuming struct {
	Seen
	t    testing.TB
	stop context.CancelFunc
	done chan error
}

// Returned waits for it to end by itself, and returns its result.
func (c *Consuming) Returned() error {
	c.t.Helper()
	select {
	case err := <-c.done:
		c.done <- err // for others that ask
		return err
	case <-time.After(Patience):
		c.t.Fatal("Consume does not return")
		return nil
	}
}

// End stops it and returns its result.
func (c *Consuming) End() error {
	c.t.Helper()
	c.stop()
	return c.Returned()
}

// Background runs a consumer, with an option that observes it, until the test ends or
// End is called.
func Background(t testing.TB, run func(context.Context, queue.ConsumeOption) error) *Consuming {
	t.Helper()
	c := &Consuming{t: t, done: make(chan error, 1)}
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	go func() { c.done <- run(ctx, queue.Observe(c.Observe)) }()
	t.Cleanup(func() { _ = c.End() })
	return c
}

// Consume runs Consume in the background.
func Consume[T any](t testing.TB, q *queue.Queue[T], handle queue.Handler[T], opts ...queue.ConsumeOption) *Consuming {
	t.Helper()
	return Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.Consume(ctx, handle, append(slices.Clone(opts), observe)...)
	})
}

// EndAll ends consumers, which must not have ended by themselves, when their
// outages are over.
func EndAll(t testing.TB, consumers ...*Consuming) {
	t.Helper()
	for i, c := range consumers {
		select {
		case err := <-c.done:
			t.Fatalf("consumer %d ended by itself: %v", i+1, err)
		default:
		}
		Eventually(t, "an outage is over", func() bool {
			return len(c.Of(queue.EventOutage)) == len(c.Of(queue.EventRecovered))
		})
		if err := c.End(); err != nil {
			t.Error(fmt.Errorf("consumer %d: %w", i+1, err))
		}
	}
}
