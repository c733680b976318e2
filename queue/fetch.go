package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
)

const (
	// restTime is the least time between two requests for announcements, and
	// between two looks while messages come by twos and more: under load,
	// consumers look at this pace, and nobody announces.
	restTime = 5 * time.Millisecond
	// longRest is the rest after announcements of what nobody could read, such as
	// delayed messages.
	longRest = 50 * time.Millisecond
	// costly is how much longer than a look the rest after it is at least, beyond
	// what any look takes, and up to longestRest.
	costly      = 20
	anyLook     = 2 * time.Millisecond
	longestRest = time.Second
	// quietTime is the longest pause between two looks at a queue whose
	// messages are announced: for what was sent by a plain INSERT, and for
	// leases of dead processes that began since the last look.
	quietTime = 15 * time.Second
	// patience is how many looks are left out at most while what may have been sent
	// unannounced is under way: 150 ms.
	patience = 4
	// heaviestFetch is how many bytes are fetched at once, about: workers begin with
	// large messages while the server is at the next.
	heaviestFetch = 2 << 20
	// heaviestAhead is how many bytes are fetched before a worker is free, about.
	heaviestAhead = 16 << 20
)

// pace is what a consumer has seen lately, by which it looks and waits.
type pace struct {
	looked time.Time     // when it last tried to read
	flow   bool          // that brought several messages, but not all there was room for
	lone   bool          // that brought one, where there was room for more
	misses int           // how often in a row there was nothing since
	took   time.Duration // of the server, for the last look
	sight  sight         // of the last read
}

// sight is what a read saw beside its messages: transactions from next on, which
// is 0 if it is not known, had not begun to send; and this was how the queue was
// awaited just before.
type sight struct {
	next  int64
	queue awaiting
}

// covers tells whether all that was sent since is or will be announced to those
// who wait by now.
func (s sight) covers(now awaiting) bool {
	return s.next > 0 && s.queue.awaited && s.queue.spell == now.spell && s.queue.heard == now.heard
}

// fetch returns parcels of messages, at least one, as soon as there are some.
func (c *consumer) fetch(ctx context.Context, room func() int) ([]parcel, error) {
	for {
		if err := c.graves.awaitRoom(ctx); err != nil {
			return nil, err
		}
		if c.pace.flow && !sleep(ctx, restTime-time.Since(c.pace.looked)) {
			return nil, context.Cause(ctx)
		}
		if c.pace.lone {
			// Most likely it was the only one. A look comes after asking senders
			// to announce, as it must, so a read before that would be one more.
			c.pace.lone = false
			if err := c.idle(ctx, c.pace.sight); err != nil {
				return nil, err
			}
		}
		n := c.fits(room() * c.o.batch.N)
		c.pace.looked = time.Now()
		jobs, err := c.claim(ctx, n)
		if err != nil {
			return nil, err
		}
		c.pace.flow = 1 < len(jobs) && len(jobs) < n
		c.pace.lone = len(jobs) == 1 && 1 < n
		if len(jobs) > 0 {
			c.pace.misses = 0
			c.listener.found(c.key)
			// There may be more, and who waits here was not told.
			c.listener.bells.Wake(c.key)
			return c.pack(ctx, jobs)
		}
		c.pace.misses++
		c.listener.missed(c.key, c.pace.took)
		if err := c.idle(ctx, sight{}); err != nil {
			return nil, err
		}
	}
}

// pack makes parcels. A lone one that is not full waits for more, if it may.
func (c *consumer) pack(ctx context.Context, jobs []*job) ([]parcel, error) {
	end := time.Now().Add(c.o.batch.Wait)
	for len(jobs) < c.o.batch.N && time.Now().Before(end) && ctx.Err() == nil {
		waiting, cancel := context.WithDeadline(ctx, end)
		_ = c.idle(waiting, sight{})
		cancel()
		more, err := c.claim(ctx, c.fits(c.o.batch.N-len(jobs)))
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

// fits is how many of n messages are fetched at once, judging by the latest. The
// messages of a batch come together, unless they are too heavy for that.
func (c *consumer) fits(n int) int {
	size := max(c.bodySize, 64)
	few := min(max(heaviestFetch/size, c.o.batch.N), heaviestAhead/size)
	return max(1, min(n, few))
}

// claim reads up to n messages, through outages.
func (c *consumer) claim(ctx context.Context, n int) ([]*job, error) {
	if err := c.lookBelow(ctx, true); err != nil {
		return nil, err
	}
	c.pace.sight = sight{}
	if ids := c.lookout.take(time.Now(), n); len(ids) > 0 {
		jobs, err := c.claimBy(ctx, func(ctx context.Context, on db.DBTX) ([]db.Message, error) {
			return queries.ReadID(ctx, on, db.ReadIDParams{VT: c.o.vt, MsgIDs: ids})
		})
		if len(jobs) > 0 || err != nil {
			return jobs, err
		}
	}
	c.lookout.many, c.lookout.stale = false, true
	c.pace.sight = sight{queue: c.listener.of(c.key)}
	return c.claimBy(ctx, func(ctx context.Context, on db.DBTX) ([]db.Message, error) {
		rows, err := queries.Read(ctx, on, db.ReadParams{VT: c.o.vt, First: c.lookout.floor.at, N: int32(n)})
		c.lookout.floor.read(rows, len(rows) < n)
		if len(rows) > 0 {
			c.listener.saw(rows[0].OldestRunning)
			c.pace.sight.next = rows[0].NextID
		}
		return messages(rows), err
	})
}

// messages returns the messages of rows.
func messages(rows []db.ReadRow) []db.Message {
	msgs := make([]db.Message, len(rows))
	for i, row := range rows {
		msgs[i] = db.Message{
			MsgID: row.MsgID, ReadCt: row.ReadCt, EnqueuedAt: row.EnqueuedAt, LastReadAt: row.LastReadAt,
			VT: row.VT, Message: row.Message, Headers: row.Headers,
		}
	}
	return msgs
}

// claimBy reads messages, through outages.
func (c *consumer) claimBy(
	ctx context.Context, read func(context.Context, db.DBTX) ([]db.Message, error),
) (jobs []*job, err error) {
	err = c.persist(ctx, func(attempt context.Context) error {
		conn, release, err := c.listener.acquire(attempt)
		if err != nil {
			return fmt.Errorf("connection of the pool: %w", err)
		}
		defer release()
		// A read that has begun is waited for: what it hides must be known.
		reading, cancel := outlast(ctx, statementTime, answerTime)
		defer cancel()
		now := time.Now()
		rows, err := read(reading, c.table.Indexed(conn))
		if err != nil {
			return err
		}
		c.pace.took = time.Since(now) // without waiting for a connection
		sortByID(rows)
		size := 0
		for _, row := range rows {
			size += len(row.Message) + len(row.Headers)
			jobs = append(jobs, &job{c: c, row: row, fetched: time.Now(), until: c.until(now)})
		}
		if len(rows) > 0 {
			c.bodySize = size / len(rows)
			c.pump.Limit(min(c.o.prefetch, heaviestAhead/max(c.bodySize, 64)) / c.o.batch.N)
		}
		c.held.add(jobs)
		return nil
	})
	return jobs, err
}

// idle returns when there may be something to read: it was announced, it falls
// due, or it is time to look. Seen is what the last read saw.
func (c *consumer) idle(ctx context.Context, seen sight) error {
	waiter := c.listener.bells.Wait(c.key)
	defer waiter.Stop()
	announced := c.await(ctx)
	c.lookout.wanted = true
	var (
		senders int64 // transactions below this may have sent without announcing; 0 if not known
		pause   time.Duration
		quiet   = min(quietTime, c.o.vt/2)
		quietly bool // nothing is expected that would not be announced
	)
	if announced && seen.covers(c.listener.of(c.key)) {
		senders, pause = seen.next, 2*restTime
	}
	for look := 1; ; {
		if err := c.lookBelow(ctx, false); err != nil {
			return err
		}
		// Where it is announced what comes, a look is of little use before those
		// ended that may have sent without announcing.
		useful := !announced || senders == 0 || look > patience || c.listener.mayHaveEnded(senders, pause)
		if !quietly && useful || quietly && c.listener.mayLook(c.key, quiet/2) {
			o, err := c.look(ctx, c.lookout.first(), noEnd)
			if err != nil {
				return err
			}
			if senders == 0 {
				senders = o.NextID
			}
			quietly = announced && o.OldestRunning >= senders
		}
		visible := c.lookout.visible(time.Now())
		switch {
		case visible && c.pace.misses < 2:
			return nil
		case visible: // but somebody is taking it
			pause = generics.Exponential(time.Millisecond, 250*time.Millisecond)(c.pace.misses)
		case !announced:
			pause = generics.Exponential(2*restTime, c.o.poll)(look)
		case !quietly:
			pause = generics.Exponential(2*restTime, time.Second)(look)
		default:
			pause = generics.Exponential(quiet, quiet)(1)
		}
		next := c.lookout.next(time.Now())
		if visible || next > pause {
			next = pause
		}
		timer := time.NewTimer(next)
		select {
		case <-waiter.C:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
			if c.lookout.visible(time.Now()) {
				return nil
			}
			if next == pause {
				look++
				c.lookout.wanted = true
			}
		}
	}
}

// await asks senders to announce, and tells whether that will be heard.
func (c *consumer) await(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if c.listener.await(asking, c.key) == nil {
		if c.polling.Swap(false) {
			c.tell(ctx, Event{Kind: Listening})
		}
		return true
	}
	if _, failed := c.listener.state(); failed != nil && !c.polling.Swap(true) {
		c.tell(ctx, Event{Kind: Polling, Err: failed})
	}
	return false
}
