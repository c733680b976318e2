package queue

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
)

// mostSettled is how many jobs are settled together.
const mostSettled = 1000

// finish settles parcels. Their workers are free by then.
func (c *consumer) finish(parcels []parcel) {
	jobs := slices.Concat(parcels...)
	c.held.move(jobs, leaving, nil)
	var deaths, others []*job
	for _, j := range jobs {
		if c.held.whyLost(j) == nil {
			j.decide()
		}
		if j.act == actDeadLetter || j.act == actDiscard {
			deaths = append(deaths, j)
		} else {
			others = append(others, j)
		}
	}
	defer c.held.remove(others)
	c.bury(deaths)
	for jobs := range slices.Chunk(others, mostSettled) {
		settle(jobs, c.settleAll)
		for _, j := range jobs {
			if j.unsettled != nil && permanent(j.unsettled) {
				c.broken(j.unsettled)
			}
			c.report(j)
		}
	}
}

// report tells how a delivery ended.
func (c *consumer) report(j *job) {
	e := Event{Kind: Settled, ID: j.row.MsgID, Count: 1, Reads: int(j.row.ReadCt), Took: j.took, Err: j.err}
	switch {
	case !j.settled:
		why := c.held.whyLost(j)
		if why == nil {
			why = lapsed("its result was not recorded")
		}
		e.Kind, e.Err = LeaseLost, errors.Join(why, j.unsettled, j.err)
	case j.act == actRetry:
		e.Kind, e.RetryIn = Retried, j.after
	case j.act == actDeadLetter:
		e.Kind, e.Reason = DeadLettered, j.reason
	case j.act == actDiscard:
		e.Kind, e.Reason = Discarded, j.reason
	}
	c.tell(c.life, e)
}

// settle does for jobs what was decided, with one statement for each kind: record
// returns for each job whether its receipt held.
func settle(jobs []*job, record func(act, []*job) (held []bool, err error)) {
	byAct := map[act][]*job{}
	for _, j := range jobs {
		byAct[j.act] = append(byAct[j.act], j)
	}
	for act, jobs := range byAct {
		if act == actNothing {
			continue
		}
		results := generics.Bisect(jobs, func(part []*job) ([]bool, error) { return record(act, part) }, divisible)
		for i, j := range jobs {
			j.settled, j.unsettled = results[i].Value, results[i].Err
		}
	}
}

// settleAll records jobs, through outages.
func (c *consumer) settleAll(act act, jobs []*job) (held []bool, err error) {
	c.afterBeat()
	err = c.persist(c.life, func(ctx context.Context) error {
		err := c.onSome(ctx, func(ctx context.Context, on DB) (err error) {
			held, err = c.try(ctx, on, act, jobs)
			return err
		})
		if err == nil && act == actRetry {
			c.announce(ctx)
		}
		return tried(jobs, err)
	})
	return held, err
}

// try records jobs once, and returns for each whether its receipt held.
func (c *consumer) try(ctx context.Context, on DB, act act, jobs []*job) (held []bool, err error) {
	ids, err := c.record(ctx, on, act, jobs)
	if err != nil {
		return nil, err
	}
	there := make(map[int64]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	latest := make(map[int64]*job, len(jobs))
	for _, j := range jobs {
		if other := latest[j.row.MsgID]; other == nil || other.fetched.Before(j.fetched) {
			latest[j.row.MsgID] = j
		}
	}
	held = make([]bool, len(jobs))
	for i, j := range jobs {
		// Of two deliveries of one message only the latter's receipt can hold.
		recorded := there[j.row.MsgID] && latest[j.row.MsgID] == j
		// As long as the lease lasts nobody else can have settled it: then an
		// attempt had worked whose answer was lost.
		held[i] = recorded || j.tried && !c.held.over(j)
	}
	return held, nil
}

// tried notes that an attempt to record jobs failed, and may have worked.
func tried(jobs []*job, err error) error {
	if err != nil && !divisible(err) {
		for _, j := range jobs {
			j.tried = true
		}
	}
	return err
}

// onSome runs f on a connection of the pool or, when none is free in good time,
// on the listening one: the pool may be empty because of the very handlers whose
// results wait.
func (c *consumer) onSome(ctx context.Context, f func(context.Context, DB) error) error {
	soon, cancel := context.WithTimeout(ctx, c.o.vt/6)
	conn, release, err := c.listener.acquire(soon)
	cancel()
	if err == nil {
		defer release()
		return f(ctx, conn)
	}
	listening := c.listener.do(ctx, func(ctx context.Context, conn *pgx.Conn) error { return f(ctx, conn) })
	if errors.Is(listening, errNotListening) {
		return err
	}
	return listening
}

// record settles jobs in one statement and returns the ids whose receipts held.
func (c *consumer) record(ctx context.Context, on DB, act act, jobs []*job) ([]int64, error) {
	jobs, r := inOrder(jobs, (*job).receipt)
	bound := c.table.Indexed(on)
	switch act {
	case actDelete:
		return queries.Delete(ctx, bound, db.DeleteParams(r))
	case actArchive:
		return queries.Archive(ctx, bound, db.ArchiveParams(r))
	case actRetry:
		delays := make([]float64, len(jobs))
		for i, j := range jobs {
			delays[i] = j.after.Seconds()
		}
		return queries.Postpone(ctx, bound, db.PostponeParams{
			MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts, Delays: delays,
		})
	}
	notes := make([]json.RawMessage, len(jobs))
	for i, j := range jobs {
		notes[i] = j.note()
	}
	var target pgtype.Text // NULL is the archive
	if act == actDeadLetter && c.o.deadLetterTo != "" {
		target = pgtype.Text{String: c.o.deadLetterTo, Valid: true}
	}
	return queries.DeadLetter(ctx, bound, db.DeadLetterParams{
		Source: c.name, Target: target, MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts, Notes: notes,
	})
}

// inTx runs a handler in a transaction that settles its message as well.
func (c *consumer) inTx(ctx context.Context, j *job, handle func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, c.pool(), func(tx pgx.Tx) error {
		if err := handle(tx); err != nil {
			return err
		}
		// Its row will be locked until the commit: no beat must wait for it.
		c.held.move(parcel{j}, leaving, nil)
		ids, err := c.record(ctx, tx, c.o.done, parcel{j})
		if err == nil && len(ids) == 0 {
			err = lapsed("another has the message, or it is gone")
		}
		return err
	})
	j.settled = err == nil
	return err
}

// giveBack makes messages visible again that no handler has had, as if they had
// not been read.
func (c *consumer) giveBack(parcels []parcel) {
	var jobs []*job
	for _, p := range parcels {
		jobs = append(jobs, p...)
	}
	c.held.move(jobs, leaving, nil)
	defer c.held.remove(jobs)
	ctx, cancel := context.WithTimeout(c.life, answerTime)
	defer cancel()
	c.afterBeat()
	_, r := inOrder(jobs, (*job).receipt)
	ids, err := queries.GiveBack(ctx, c.indexed, db.GiveBackParams(r))
	if err != nil {
		c.outage(ctx, err) // they come back when their VT ends
		return
	}
	c.announce(ctx)
	reads := map[int64]int32{}
	for _, j := range jobs {
		reads[j.row.MsgID] = j.row.ReadCt - 1
	}
	for _, id := range ids {
		c.tell(ctx, Event{Kind: Returned, ID: id, Count: 1, Reads: int(reads[id])})
	}
}

// announce has those who wait look anew at what is due.
func (c *consumer) announce(ctx context.Context) {
	c.listener.bells.Wake(c.key)
	_ = queries.Announce(ctx, c.db) // a hint: they will look anyhow
}
