package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pgmq-go/pgmq/examples/quakes/internal/quakes"
	"github.com/pgmq-go/pgmq/queue"
)

// The limits of the tally for an input without end.
const (
	maxQuakes     = 200_000
	maxComplaints = 10
)

// For how long nothing may happen while messages are in flight: longer than their
// lease, or a little when the database is away.
const (
	maxSilence = time.Minute
	maxOutage  = 5 * time.Second
)

// tally counts the events of messages, as the queue reports them. It is safe for
// concurrent use.
type tally struct {
	mu     sync.Mutex
	counts counts
	// balance has +1 for a message that was sent, -1 for one that was deleted
	// or is a dead letter, and no entry for 0. Messages that Redrive sends get no +1,
	// because it returns no ids: these end at -1.
	balance  map[int64]int
	latency  *hdrhistogram.Histogram
	quakes   []quakes.Quake
	bad      []complaint
	start    time.Time
	sendEnd  time.Time // when the latest batch was sent
	firstEnd time.Time // when the latest first delivery was
	latest   time.Time // when anything happened
	outage   error     // nil when it is over
}

type counts struct {
	sent, delivered, retried, returned, dead, redriven, deleted, broken int
}

type complaint struct {
	number int
	err    error
}

func newTally() *tally {
	return &tally{
		balance: map[int64]int{},
		// From a microsecond to an hour, to three digits.
		latency: hdrhistogram.New(1, time.Hour.Microseconds(), 3),
		start:   time.Now(),
	}
}

// observe is the queue's observer.
func (t *tally) observe(_ context.Context, e queue.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latest = time.Now()
	switch e.Kind {
	case queue.EventSent:
		t.counts.sent += e.Count
		t.sendEnd = t.latest
	case queue.EventDelivered:
		t.counts.delivered++
		if e.Reads == 1 && t.counts.redriven == 0 {
			t.firstEnd = t.latest
			_ = t.latency.RecordValue(min(max(e.Wait.Microseconds(), 1), time.Hour.Microseconds()))
		}
	case queue.EventRetried:
		t.counts.retried++
	case queue.EventReturned:
		t.counts.returned++
	case queue.EventDeadLettered:
		t.counts.dead++
		t.move(e.ID, -1)
	case queue.EventSettled:
		t.counts.deleted++
		t.move(e.ID, -1)
	case queue.EventOutage:
		t.outage = e.Err
	case queue.EventRecovered:
		t.outage = nil
	}
}

// sent books messages; how many, the event tells.
func (t *tally) sent(ids []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		t.move(id, +1)
	}
}

// move changes the balance of a message. The mutex must be held.
func (t *tally) move(id int64, by int) {
	t.balance[id] += by
	if t.balance[id] == 0 {
		delete(t.balance, id)
	}
}

func (t *tally) redriven(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.redriven += int(n)
	t.latest = time.Now()
}

func (t *tally) quake(q quakes.Quake) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.quakes) < maxQuakes {
		t.quakes = append(t.quakes, q)
	}
}

func (t *tally) broken(number int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.broken++
	if len(t.bad) < maxComplaints {
		t.bad = append(t.bad, complaint{number, err})
	}
}

func (t *tally) snapshot() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// inFlight returns when no more than n messages are sent and not settled.
func (t *tally) inFlight(ctx context.Context, n int) error {
	return t.wait(ctx, func() int { return t.counts.sent - t.counts.deleted - t.counts.dead - n })
}

// redrivenSettled returns when all that was redriven is settled.
func (t *tally) redrivenSettled(ctx context.Context) error {
	return t.wait(ctx, func() int { return t.counts.sent - t.counts.deleted })
}

// wait returns when no messages are missing any more. It fails when the database
// is gone, or when nothing happens to them.
func (t *tally) wait(ctx context.Context, missing func() int) error {
	look := func() (int, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		n := missing()
		switch {
		case n <= 0:
			return n, nil
		case t.outage != nil && time.Since(t.latest) > maxOutage:
			return n, t.outage
		case time.Since(t.latest) > maxSilence:
			return n, fmt.Errorf("%d messages are not settled, and nothing happened to them for %v", n, maxSilence)
		}
		return n, nil
	}
	for {
		n, err := look()
		if n <= 0 || err != nil {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// proof returns an error if not each message was settled exactly once.
func (t *tally) proof(left int64) error {
	wrong := max(t.counts.redriven-len(t.balance), len(t.balance)-t.counts.redriven)
	for _, n := range t.balance {
		if n != -1 {
			wrong++
		}
	}
	switch c := t.counts; {
	case wrong > 0:
		return fmt.Errorf("%d messages were not settled exactly once", wrong)
	case c.deleted != c.sent:
		return fmt.Errorf("%d sent, but %d deleted", c.sent, c.deleted)
	case c.redriven != c.dead:
		return fmt.Errorf("%d dead letters, but %d redriven", c.dead, c.redriven)
	case left > 0:
		return fmt.Errorf("%d messages are left in the queues and their archives", left)
	}
	return nil
}
