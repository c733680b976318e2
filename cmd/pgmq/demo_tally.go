package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/quakes"
	"github.com/pgmq-go/pgmq/internal/table"
)

// What the tally keeps of an input without end.
const (
	maxQuakes     = 200_000
	maxComplaints = 10
)

// tally counts what happens to messages. It is safe for concurrent use.
type tally struct {
	mu       sync.Mutex
	counts   counts
	balance  map[int64]int // +1 when sent, -1 when settled; no entry for 0
	latency  *hdrhistogram.Histogram
	quakes   []quakes.Quake
	bad      []complaint
	start    time.Time
	sendEnd  time.Time // zero while sending goes on
	firstEnd time.Time // when the latest first delivery was
}

type counts struct {
	sent, delivered, redelivered, archived, deleted, broken int
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

// move books the ids on the balance. The mutex must be held.
func (t *tally) move(ids []int64, by int) {
	for _, id := range ids {
		t.balance[id] += by
		if t.balance[id] == 0 {
			delete(t.balance, id)
		}
	}
}

func (t *tally) sent(ids []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.sent += len(ids)
	t.move(ids, +1)
}

func (t *tally) allSent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sendEnd = time.Now()
}

func (t *tally) delivered(reads int, latency time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.delivered++
	if reads > 1 {
		t.counts.redelivered++
		return
	}
	t.firstEnd = time.Now()
	_ = t.latency.RecordValue(min(max(latency.Microseconds(), 1), time.Hour.Microseconds()))
}

func (t *tally) archived(ids []int64) { t.settled(ids, &t.counts.archived) }
func (t *tally) deleted(ids []int64)  { t.settled(ids, &t.counts.deleted) }

func (t *tally) settled(ids []int64, count *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*count += len(ids)
	t.move(ids, -1)
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

func (t *tally) inFlight() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.balance)
}

func (t *tally) finished() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.sendEnd.IsZero() && len(t.balance) == 0
}

func (t *tally) snapshot() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// countLeft asks the database itself.
func countLeft(ctx context.Context, pool *pgxpool.Pool, name string) (db.CountRow, error) {
	return db.New().Count(ctx, table.New(name).Bind(pool))
}

// proof tells what is wrong if not each message was settled exactly once.
func (t *tally) proof(left db.CountRow) error {
	c := t.counts
	switch {
	case len(t.balance) > 0:
		return fmt.Errorf("%d messages were not settled exactly once", len(t.balance))
	case left.Queued > 0:
		return fmt.Errorf("%d messages are left in the queue", left.Queued)
	case left.Archived != int64(c.archived):
		return fmt.Errorf("%d messages were archived and %d are in the archive", c.archived, left.Archived)
	case c.archived+c.deleted != c.sent:
		return fmt.Errorf("%d sent, but %d archived and %d deleted", c.sent, c.archived, c.deleted)
	}
	return nil
}
