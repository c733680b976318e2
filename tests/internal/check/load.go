package check

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// Remains counts the messages of a queue on any pool, as soon as it answers.
func Remains(t testing.TB, pool *pgxpool.Pool, name string) int64 {
	stats, err := admin.Stats(t.Context(), pool, name)
	if err != nil {
		return -1
	}
	return stats.Length
}

// Load is senders and handlers, and their results.
type Load struct {
	mu           sync.Mutex
	acknowledged map[int64]bool
	handled      map[int64]int
	handling     map[int64]bool
	together     []int64 // handled by two at once
	last         time.Time
	failures     int // sends without an answer

	stop    context.CancelFunc
	senders sync.WaitGroup
}

// SendLoad has n senders send at about the given pace each, until halt. A sender that gets
// no answer tries again.
func SendLoad(t testing.TB, q *queue.Queue[int64], n int, every time.Duration) *Load {
	l := &Load{acknowledged: map[int64]bool{}, handled: map[int64]int{}, handling: map[int64]bool{}}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	t.Cleanup(l.halt)
	for range n {
		l.senders.Go(func() {
			for ctx.Err() == nil {
				id, err := q.Send(ctx, 1)
				l.mu.Lock()
				if err == nil {
					l.acknowledged[id] = true
				} else {
					l.failures++
				}
				l.mu.Unlock()
				time.Sleep(rand.N(2 * every))
			}
		})
	}
	return l
}

// Acknowledged is how many messages were sent so far, for certain.
func (l *Load) Acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

func (l *Load) halt() {
	l.stop()
	l.senders.Wait()
}

// Handle is a handler that takes up to 10 ms, and heeds its ctx.
func (l *Load) Handle(ctx context.Context, m *queue.Message[int64]) error {
	l.mu.Lock()
	if l.handling[m.ID] {
		l.together = append(l.together, m.ID)
	}
	l.handling[m.ID] = true
	l.mu.Unlock()
	select {
	case <-time.After(rand.N(10 * time.Millisecond)):
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handling[m.ID] = false
	if ctx.Err() == nil {
		l.handled[m.ID]++
		l.last = time.Now()
	}
	return context.Cause(ctx)
}

// Resumed waits for a message to be handled after now, and returns how long that took.
func (l *Load) Resumed(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	var last time.Time
	Eventually(t, "work goes on", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		last = l.last
		return last.After(began)
	})
	return last.Sub(began)
}

// Settled ends the senders, waits for the queue to be empty, and checks that
// nothing was lost.
func (l *Load) Settled(t testing.TB, pool *pgxpool.Pool, name string) {
	t.Helper()
	Eventually(t, "there was some load", func() bool { return l.Acknowledged() >= 100 })
	l.halt()
	Eventually(t, "the queue is empty", func() bool { return Remains(t, pool, name) == 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost []int64
	again := 0
	for id := range l.acknowledged {
		if l.handled[id] == 0 {
			lost = append(lost, id)
		}
		again += max(0, l.handled[id]-1)
	}
	t.Logf("%d messages acknowledged, %d sends failed, %d handled more than once", len(l.acknowledged), l.failures, again)
	if len(lost) > 0 || len(l.together) > 0 {
		t.Errorf("acknowledged and never handled: %v; handled by two at once: %v", lost, l.together)
	}
}
