// Package load uses queues in every way that applications do, and records
// its calls and their results as a history.
//
// It keeps six queues: plain, consumed; tx, consumed in transactions; poison,
// whose messages fail and die; hand, read and settled by hand; fifo, read in
// groups; and dead, for the dead letters of poison.
package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/history"
)

// The queues.
const (
	Plain  = "plain"
	Tx     = "tx"
	Poison = "poison"
	Hand   = "hand"
	Fifo   = "fifo"
	Dead   = "dead"
)

// MaxReads is how many deliveries a message of the queue poison gets.
const MaxReads = 3

// Task is the body of every message.
type Task struct {
	Key   string        `json:"key"`
	Takes time.Duration `json:"takes"`           // how long its handler works
	Fails int           `json:"fails,omitempty"` // how many deliveries fail
}

// Client is one process that uses the queues.
type Client struct {
	Pool *pgxpool.Pool
	Rec  *history.Recorder
	Name string        // of the process, one life of it: keys begin with it
	Seed uint64        // decides the operations, and their order
	VT   time.Duration // at least 1 s, whole seconds
	// Every is the pause between two sends of one goroutine, on average.
	Every time.Duration
}

// limit is how long one operation may take before its client gives up.
const limit = 5 * time.Second

// Produce sends until ctx is done, which cuts no send short.
func (c *Client) Produce(ctx context.Context) error {
	return c.together(ctx, map[string]int{Plain: 4, Tx: 1, Poison: 1, Hand: 1, Fifo: 2}, func(ctx context.Context, p part) error {
		return c.produce(ctx, p)
	})
}

// Consume receives until ctx is done. Handlers that run then may still end.
func (c *Client) Consume(ctx context.Context) error {
	return c.together(ctx, map[string]int{Plain: 1, Tx: 1, Poison: 1, Hand: 2, Fifo: 2}, func(ctx context.Context, p part) error {
		switch p.queue {
		case Hand:
			return c.readByHand(ctx, p)
		case Fifo:
			return c.readGroups(ctx, p)
		}
		return c.consume(ctx, p)
	})
}

// part is the work of one goroutine of a client.
type part struct {
	queue string
	n     int // among those of this queue
	rand  *rand.Rand
}

// together runs goroutines for the queues. They end with ctx, or with the first
// error.
func (c *Client) together(ctx context.Context, each map[string]int, run func(context.Context, part) error) error {
	watch, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { c.notePauses(watch) })
	defer watching.Wait()
	defer stop()
	var all []func(context.Context) error
	for i, name := range []string{Plain, Tx, Poison, Hand, Fifo} {
		for n := range each[name] {
			p := part{queue: name, n: n, rand: rand.New(rand.NewPCG(c.Seed, uint64(100*i+n)))}
			all = append(all, func(ctx context.Context) error { return run(ctx, p) })
		}
	}
	return queue.Run(ctx, all...)
}

// notePauses records when this process does not run: the checker does not expect
// it to notice anything meanwhile.
func (c *Client) notePauses(ctx context.Context) {
	const often, late = 5 * time.Millisecond, 20 * time.Millisecond
	for last := history.Now(); sleep(ctx, often); last = history.Now() {
		if time.Duration(history.Now()-last) > often+late {
			c.Rec.Note(history.Event{Op: history.Pause, Begin: last})
		}
	}
}

// sleep returns false if ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// within returns a ctx for one operation, which the end of ctx does not cut short.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
