package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
)

// keep extends the leases of what is held, three times in a VT, by one statement
// for all, until ctx ends.
func (c *consumer) keep(ctx context.Context) {
	beat := c.o.vt / 3
	for next := beat; sleep(ctx, next); {
		c.returnStale(beat)
		next = beat
		if err := c.extend(ctx); err != nil && ctx.Err() == nil {
			c.outage(ctx, err)
			next = beat / 4
		}
	}
}

// watch takes leases for lost when they end, however long a beat waits for its
// answer.
func (c *consumer) watch(ctx context.Context) {
	often := c.o.vt / 12
	for next := often; sleep(ctx, next); {
		next = min(often, c.lapse(time.Now()))
	}
}

// until is when a lease is over that was asked for at a time: a little before
// another can have the message, because a handler needs a moment to stop.
func (c *consumer) until(asked time.Time) time.Time { return asked.Add(c.o.vt - c.o.vt/20) }

// returnStale gives back what was fetched too early.
func (c *consumer) returnStale(beat time.Duration) {
	old := time.Now().Add(-beat)
	stale := c.pump.Recall(func(p parcel) bool { return p[0].fetched.Before(old) })
	if len(stale) > 0 {
		c.giveBack(stale)
	}
}

// extend extends all leases but those that have had their time, and finds out
// which are lost.
func (c *consumer) extend(ctx context.Context) error {
	c.beat.Lock()
	defer c.beat.Unlock()
	now := time.Now()
	jobs := c.held.extensible(now.Add(-c.o.maxLease))
	if len(jobs) == 0 {
		return nil
	}
	kept := map[int64]bool{}
	set := func(ctx context.Context, on DB) error {
		_, r := inOrder(jobs, (*job).receipt)
		rows, err := queries.SetVT(ctx, c.table.Indexed(on), db.SetVTParams{
			VT: c.o.vt, MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts,
		})
		for _, row := range rows {
			kept[row.MsgID] = true
		}
		return err
	}
	// Not through the pool, if it can be helped: that may be empty because of
	// the very handlers whose leases are at stake.
	soon := min(answerTime, c.o.vt/6)
	listening, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	err := c.listener.do(listening, func(ctx context.Context, conn *pgx.Conn) error { return set(ctx, conn) })
	if err != nil {
		pooled, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		err = set(pooled, c.pool())
	}
	if err != nil {
		return err
	}
	c.recovered(ctx)
	still := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return !kept[j.row.MsgID] })
	c.held.renewed(still, c.until(now))
	for _, j := range jobs {
		if !kept[j.row.MsgID] {
			c.held.lose(j, lapsed("another has the message, or it is gone"))
		}
	}
	return nil
}

// afterBeat waits for the end of a beat that began when jobs were not leaving
// yet: it must not overtake their settling. A later beat leaves them alone, and
// need not wait for the settling, which may take long.
func (c *consumer) afterBeat() {
	c.beat.Lock()
	defer c.beat.Unlock()
}

// lapse takes the leases for lost that nobody extended in time: another may have
// the message by now. It returns when the next one ends.
func (c *consumer) lapse(now time.Time) time.Duration {
	next := c.o.vt
	for j, until := range c.held.ends() {
		if left := until.Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		c.held.lose(j, c.notExtended())
	}
	return next
}

func (c *consumer) notExtended() error {
	return lapsed(fmt.Sprintf("it was not extended in time, or its MaxLease of %v is over", c.o.maxLease))
}

// over tells whether a lease has ended already.
func (l *leases) over(j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !time.Now().Before(j.until)
}

// extensible returns the jobs whose leases are to go on: those that a handler
// has since a given time or later, and those that wait for one.
func (l *leases) extensible(since time.Time) []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	var jobs []*job
	for j := range l.jobs {
		if j.lost == nil && j.stage != leaving && (j.stage == waiting || j.since.After(since)) {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// ends returns when the leases end that are not lost yet.
func (l *leases) ends() map[*job]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := map[*job]time.Time{}
	for j := range l.jobs {
		if j.lost == nil && j.stage != leaving {
			ends[j] = j.until
		}
	}
	return ends
}
