package queue

import (
	"context"
	"errors"
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

// watch takes the leases for lost that nobody extended in time, until ctx ends:
// another may have the message by then. It asks no server, so none can stall it.
func (c *consumer) watch(ctx context.Context) {
	for next := c.o.vt; sleep(ctx, next); {
		next = c.o.vt
		now := time.Now()
		for j, until := range c.held.ends() {
			if left := until.Sub(now); left > 0 {
				next = min(next, left)
				continue
			}
			c.held.lose(j, lapsed(fmt.Sprintf("it was not extended in time, or its MaxLease of %v is over", c.o.maxLease)))
		}
	}
}

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
	c.statements.Lock()
	defer c.statements.Unlock()
	now := time.Now()
	jobs := c.held.extensible(now.Add(-c.o.maxLease))
	if len(jobs) == 0 {
		return nil
	}
	kept := map[int64]bool{}
	set := func(ctx context.Context, db_ DB) error {
		r := receiptsOf(jobs)
		rows, err := queries.SetVT(ctx, c.table.Bind(db_), db.SetVTParams{
			VT: c.o.vt, MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts,
		})
		for _, row := range rows {
			kept[row.MsgID] = true
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	// Not through the pool, if it can be helped: that may be empty because of
	// the very handlers whose leases are at stake.
	err := c.listener.do(ctx, func(ctx context.Context, conn *pgx.Conn) error { return set(ctx, conn) })
	if errors.Is(err, errNotListening) {
		err = set(ctx, c.pool())
	}
	if err != nil {
		return err
	}
	c.recovered(ctx)
	still := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return !kept[j.row.MsgID] })
	c.held.renewed(still, now.Add(c.o.vt))
	for _, j := range jobs {
		if !kept[j.row.MsgID] {
			c.held.lose(j, lapsed("another has the message, or it is gone"))
		}
	}
	return nil
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
