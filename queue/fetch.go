package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
)

const (
	// restTime is the least time between two requests for announcements: under
	// load, consumers look at this pace and nobody announces much.
	restTime = 5 * time.Millisecond
	// quietTime is the longest pause between two looks at a queue whose
	// messages are announced: for what was sent by a plain INSERT, and for
	// leases of dead processes that began since the last look.
	quietTime = 15 * time.Second
	// mostFetched is how many bytes of bodies are fetched at once, about.
	mostFetched = 16 << 20
)

// fetch returns parcels of messages, at least one, as soon as there are some.
func (c *consumer) fetch(ctx context.Context, room func() int) ([]parcel, error) {
	for misses := 0; ; misses++ {
		jobs, err := c.claim(ctx, room()*c.o.batch.N)
		if err != nil {
			return nil, err
		}
		if len(jobs) > 0 {
			// There may be more, and who waits here was not told.
			c.listener.bells.Ring(c.key)
			return c.pack(ctx, jobs)
		}
		if err := c.idle(ctx, misses); err != nil {
			return nil, err
		}
	}
}

// pack makes parcels. A lone one that is not full waits for more, if it may.
func (c *consumer) pack(ctx context.Context, jobs []*job) ([]parcel, error) {
	end := time.Now().Add(c.o.batch.Wait)
	for len(jobs) < c.o.batch.N && time.Now().Before(end) && ctx.Err() == nil {
		waiting, cancel := context.WithDeadline(ctx, end)
		_ = c.idle(waiting, 0)
		cancel()
		more, err := c.claim(ctx, c.o.batch.N-len(jobs))
		if err != nil {
			break // hand out what there is; the next fetch meets it again
		}
		jobs = append(jobs, more...)
	}
	var parcels []parcel
	for part := range slices.Chunk(jobs, c.o.batch.N) {
		parcels = append(parcels, part)
	}
	return parcels, nil
}

// claim reads up to n messages, through outages.
func (c *consumer) claim(ctx context.Context, n int) (jobs []*job, err error) {
	n = max(1, min(n, mostFetched/max(c.bodySize, 64)))
	err = c.persist(ctx, func(attempt context.Context) error {
		conn, err := c.pool().Acquire(attempt)
		if err != nil {
			return fmt.Errorf("connection of the pool: %w", err)
		}
		defer conn.Release()
		// A read that has begun is waited for: what it hides must be known.
		reading, cancel := outlast(ctx, statementTime, answerTime)
		defer cancel()
		now := time.Now()
		rows, err := queries.Read(reading, c.table.Bind(conn), db.ReadParams{N: int32(n), VT: c.o.vt})
		if err != nil {
			return err
		}
		slices.SortFunc(rows, func(a, b db.Message) int { return cmp.Compare(a.MsgID, b.MsgID) })
		size := 0
		for _, row := range rows {
			size += len(row.Message) + len(row.Headers)
			jobs = append(jobs, &job{c: c, row: row, fetched: time.Now(), until: c.until(now)})
		}
		c.bodySize = size / max(len(rows), 1)
		c.held.add(jobs)
		return nil
	})
	return jobs, err
}

// idle returns when there may be something to read: it was announced, it falls
// due, or it is time to look. misses is how often that has been wrong in a row.
func (c *consumer) idle(ctx context.Context, misses int) error {
	waiter := c.listener.bells.Wait(c.key)
	defer waiter.Stop()
	senders, announced := c.await(ctx)
	for look := 1; ; look++ {
		var o db.OutlookRow
		err := c.persist(ctx, func(ctx context.Context) (err error) {
			o, err = queries.Outlook(ctx, c.db)
			return err
		})
		if err != nil {
			return err
		}
		var pause time.Duration
		switch {
		case o.DueIn <= 0 && misses == 0:
			return nil
		case o.DueIn <= 0: // visible, but somebody is taking it
			pause = generics.Exponential(time.Millisecond, 250*time.Millisecond)(misses)
		case !announced:
			pause = generics.Exponential(2*restTime, c.o.poll)(look)
		case o.OldestRunning < senders:
			pause = generics.Exponential(2*restTime, time.Second)(look)
		default:
			quiet := min(quietTime, c.o.vt/2)
			pause = generics.Exponential(quiet, quiet)(1)
		}
		if o.DueIn > 0 && o.DueIn < pause.Seconds() {
			pause = time.Duration(o.DueIn * float64(time.Second))
		}
		timer := time.NewTimer(pause)
		select {
		case <-waiter.C:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
			if o.DueIn <= 0 {
				return nil
			}
		}
	}
}

// await asks senders to announce, and tells whether that will be heard.
// Transactions below senders may have sent before they could know.
func (c *consumer) await(ctx context.Context) (senders int64, announced bool) {
	sleep(ctx, restTime-time.Since(c.awaited))
	c.awaited = time.Now()
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	senders, err := c.listener.await(asking, c.key)
	if err == nil {
		if c.polling.Swap(false) {
			c.tell(ctx, Event{Kind: Listening})
		}
		return senders, true
	}
	if _, failed := c.listener.state(); failed != nil && !c.polling.Swap(true) {
		c.tell(ctx, Event{Kind: Polling, Err: failed})
	}
	return 0, false
}
