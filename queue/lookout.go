package queue

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

const (
	mostLooked = 1000             // how many messages a look names
	firstWidth = 10_000           // ids that a part has, at first
	mostKnown  = 10_000           // messages that are known to fall due
	foresight  = 20 * time.Second // how far ahead a look sees: beyond the next one
	noEnd      = math.MaxInt64
)

// lookout is what a consumer knows of its queue: where to read, and what will be
// visible when. It belongs to the goroutine that fetches.
//
// A queue that is cheap to look through is looked through as a whole. Else a look
// begins at the floor, and what lies below it is looked through in parts, with
// rests in between.
type lookout struct {
	floor floor
	known []due // soonest first
	many  bool  // more are visible than are known by name

	dear   bool          // to be looked through in parts
	from   int64         // where the next part below the floor begins; 0 between passes
	dense  int64         // where a part was first dear, in the last pass; 0 for nowhere
	met    int64         // the same in this pass
	wide   int64         // of a part before that, in ids
	narrow int64         // of a part from there on
	cost   time.Duration // of the last look below the floor
	end    time.Time     // of the last look below the floor
	wanted bool          // something may have come back
	stale  bool          // something was read since the last look
}

// due is a message that becomes visible.
type due struct {
	id int64
	at time.Time
}

// take forgets messages that are due by now, and returns the ids of those, up to
// n, that a read from the floor on would not find.
func (l *lookout) take(now time.Time, n int) []int64 {
	var ids []int64
	for len(l.known) > 0 && len(ids) < n && !l.known[0].at.After(now) {
		if id := l.known[0].id; id < l.floor.at {
			ids = append(ids, id)
		}
		l.known = l.known[1:]
	}
	return ids
}

// first returns where a look at all that may be visible begins.
func (l *lookout) first() int64 {
	if l.dear {
		return l.floor.at
	}
	return 0
}

// visible tells whether a message is due that was not tried yet.
func (l *lookout) visible(now time.Time) bool {
	return l.many || len(l.known) > 0 && !l.known[0].at.After(now)
}

// next returns when there is something to do: a message falls due, or it is time
// for a look below the floor.
func (l *lookout) next(now time.Time) time.Duration {
	left := time.Duration(math.MaxInt64)
	if len(l.known) > 0 {
		left = l.known[0].at.Sub(now)
	}
	if l.dear && (l.wanted || l.from > 0) {
		left = min(left, l.end.Add(restAfter(l.cost)).Sub(now))
	}
	return left
}

// below tells which part below the floor to look through now, if any. While the
// queue is busy, and read without looks in between, one pass follows the other.
func (l *lookout) below(now time.Time, busy bool) (first, before int64, ok bool) {
	since := now.Sub(l.end)
	ok = l.floor.at > 0 && since >= restAfter(l.cost) &&
		(l.from > 0 || l.wanted && l.dear || busy && l.stale && since >= lookAgain)
	before = l.from + cmp.Or(*l.width(), firstWidth)
	if l.from < l.dense {
		before = min(before, l.dense)
	}
	return l.from, min(before, l.floor.at), ok
}

// width is that of the next part. Where there was little it may be wide, but not
// where the dead or the hidden begin: there each pass would be dear once.
func (l *lookout) width() *int64 {
	if l.met > 0 || l.dense > 0 && l.from >= l.dense {
		return &l.narrow
	}
	return &l.wide
}

// measure has the next parts take as long as any look, judging by one.
func (l *lookout) measure(first, before int64, took time.Duration) {
	width := l.width()
	if took < anyLook/2 {
		*width = min(2*cmp.Or(*width, firstWidth), noEnd/4)
		return
	}
	if width == &l.wide || took > 2*anyLook {
		l.narrow = max(1, int64(float64(before-first)*anyLook.Seconds()/max(took, anyLook).Seconds()))
	}
	if l.met == 0 {
		l.met = max(first, 1)
	}
}

// note notes what a look at the messages from first on and below before found, and
// tells how long it took.
func (l *lookout) note(first, before int64, o db.LookRow, took time.Duration) {
	l.stale = false
	if first < l.floor.at {
		l.end = time.Now()
	}
	l.learn(first, before, o)
	if before == noEnd {
		id := max(o.Last+1, l.floor.passed)
		for i, msgID := range o.MsgIDs {
			if o.DueIns[i] <= 0 && msgID >= l.floor.at {
				id = msgID
				break
			}
		}
		l.floor.pass(id, o.OldestRunning, o.NextID)
		if first == 0 {
			l.dear, l.from, l.cost, l.wanted = took > anyLook, 0, took, false
		}
		return
	}
	if first == 0 {
		l.wanted = false
	}
	l.measure(first, before, took)
	l.from, l.cost = before, took
	if before >= l.floor.at {
		l.from, l.dear = 0, first > 0 || took > anyLook
		l.dense, l.met = l.met, 0
	}
}

// learn replaces what was known of a range of ids.
func (l *lookout) learn(first, before int64, o db.LookRow) {
	now := time.Now()
	l.known = slices.DeleteFunc(l.known, func(d due) bool { return first <= d.id && d.id < before })
	visible := 0
	for i, id := range o.MsgIDs {
		if o.DueIns[i] <= 0 {
			visible++
		}
		l.known = append(l.known, due{id, now.Add(time.Duration(o.DueIns[i] * float64(time.Second)))})
	}
	if visible == mostLooked {
		// Too many to name: they are read as if they were new.
		l.floor.lower(o.MsgIDs[0])
		l.known, l.from, l.many = nil, 0, true
		return
	}
	slices.SortStableFunc(l.known, func(a, b due) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	l.known = l.known[:min(len(l.known), mostKnown)]
}

// look looks at the messages from first on and below before, through outages.
func (c *consumer) look(ctx context.Context, first, before int64) (o db.LookRow, err error) {
	took := time.Duration(0)
	err = c.persist(ctx, func(ctx context.Context) (err error) {
		conn, release, err := c.listener.acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		start := time.Now()
		o, err = queries.Look(ctx, c.table.Indexed(conn), db.LookParams{
			First: first, Before: before, Within: foresight, Most: mostLooked,
		})
		took = time.Since(start)
		return err
	})
	if err == nil {
		c.listener.saw(o.OldestRunning)
		c.lookout.note(first, before, o, took)
	}
	return o, err
}

// lookBelow looks through the next part below the floor, if it is time to.
func (c *consumer) lookBelow(ctx context.Context, busy bool) error {
	first, before, ok := c.lookout.below(time.Now(), busy)
	if !ok {
		return nil
	}
	_, err := c.look(ctx, first, before)
	return err
}
