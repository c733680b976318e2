package queue

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/generics"
)

// impatient is a transaction that does not wait long for a lock: it holds a
// connection of the pool meanwhile.
var impatient = pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL lock_timeout = '2s'"}

// graves are the deaths of a consumer that are not recorded yet. Where they go to
// may be locked, full or gone, so nothing else must wait for them.
type graves struct {
	mu       sync.Mutex
	waiting  []*job        // those of the attempt under way are the first
	attempts bool          // there is one under way or about to be
	failure  error         // why the last one is to be repeated, or recorded none
	fewer    chan struct{} // receives when one has ended
	running  sync.WaitGroup
}

// bury has deaths recorded. While that fails only so many can wait for it; the
// others are left to their leases.
func (c *consumer) bury(deaths []*job) {
	g := &c.graves
	g.mu.Lock()
	room := len(deaths)
	if g.failure != nil {
		room = min(room, max(mostSettled-len(g.waiting), 0))
	}
	refused := deaths[room:]
	for _, j := range refused {
		j.unsettled = g.failure
	}
	g.waiting = append(g.waiting, deaths[:room]...)
	if !g.attempts && len(g.waiting) > 0 {
		g.attempts = true
		g.running.Add(1)
		go c.dig(0)
	}
	g.mu.Unlock()
	c.conclude(refused)
}

// dig makes an attempt to record the deaths that wait. Its end starts the next;
// failures is how many before it are to be repeated.
func (c *consumer) dig(failures int) {
	g := &c.graves
	defer g.running.Done()
	if failures > 0 {
		sleep(c.life, generics.Exponential(100*time.Millisecond, 3*time.Second)(failures))
	}
	jobs := g.next()
	if len(jobs) == 0 {
		return
	}
	defer func() { // also after Goexit
		g.running.Add(1)
		go c.dig(failures)
	}()
	c.afterBeat()
	for _, j := range jobs {
		j.row.Message, j.row.Headers = nil, nil // they may have to wait for long
	}
	settle(jobs, c.buryAll)

	var ended, again []*job
	var failure error
	recorded := false
	for _, j := range jobs {
		switch err := j.unsettled; {
		case err == nil:
			recorded = true
			ended = append(ended, j)
		case permanent(err), divisible(err), c.held.over(j), c.life.Err() != nil:
			ended = append(ended, j)
		default:
			again = append(again, j)
		}
		if j.unsettled != nil {
			failure = j.unsettled
		}
	}
	failures++
	if len(again) == 0 {
		failures = 0
		if recorded {
			failure = nil
		}
	}
	g.attempted(len(jobs), again, failure)
	c.conclude(ended)
}

// next returns the deaths that have waited longest. Without any, attempts are over.
func (g *graves) next() []*job {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), mostSettled)
	g.attempts = n > 0
	return g.waiting[:n:n]
}

// attempted notes how an attempt at the first n ended.
func (g *graves) attempted(n int, again []*job, failure error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(again, g.waiting[n:]...)
	g.failure = failure
	select {
	case g.fewer <- struct{}{}:
	default: // it was told already
	}
}

// awaitRoom holds fetching back while there are more deaths than the server keeps
// up with; but not while they fail.
func (g *graves) awaitRoom(ctx context.Context) error {
	for {
		g.mu.Lock()
		full := len(g.waiting) >= mostSettled && g.failure == nil
		g.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-g.fewer:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// conclude reports jobs that are over.
func (c *consumer) conclude(jobs []*job) {
	defer c.held.remove(jobs)
	for _, j := range jobs {
		c.report(j)
	}
}

// buryAll records deaths once. All consumers of a pool have one connection for
// that, so that deaths that fail do not leave the pool dry.
func (c *consumer) buryAll(act act, jobs []*job) (held []bool, err error) {
	ctx, cancel := context.WithTimeout(c.life, statementTime)
	defer cancel()
	select {
	case c.listener.burying <- struct{}{}:
		defer func() { <-c.listener.burying }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	err = pgx.BeginTxFunc(ctx, c.pool(), impatient, func(tx pgx.Tx) (err error) {
		held, err = c.try(ctx, tx, act, jobs)
		return err
	})
	return held, tried(jobs, err)
}
