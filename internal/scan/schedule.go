package scan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// NoEnd is the upper end of a scan of all ids.
const NoEnd = math.MaxInt64

// Schedule is a consumer's knowledge of its queue: where to read, and which message
// falls due when. It belongs to the goroutine that fetches. The zero value knows
// nothing.
//
// A queue whose scan is cheap is scanned as a whole. Otherwise a scan begins at the
// low-water mark, and a sweep goes through the ids below it.
type Schedule struct {
	low   LowWater
	sweep sweep
	known []due // soonest first
	many  bool  // more messages are visible than known has
}

// due is a message that becomes visible.
type due struct {
	id int64
	at time.Time
}

// Mark returns the id at which the next read starts.
func (s *Schedule) Mark() int64 { return s.low.mark }

// Take forgets messages that are due by now. It returns the ids of those, up to n,
// that a read from the mark on would not find.
func (s *Schedule) Take(now time.Time, n int) []int64 {
	var ids []int64
	for len(s.known) > 0 && len(ids) < n && !s.known[0].at.After(now) {
		if id := s.known[0].id; id < s.low.mark {
			ids = append(ids, id)
		}
		s.known = s.known[1:]
	}
	return ids
}

// Reads notes that a read from the mark on begins.
func (s *Schedule) Reads() { s.many, s.sweep.stale = false, true }

// Found notes the rows of that read.
func (s *Schedule) Found(rows []db.ReadRow, foundLess bool) { s.low.Note(rows, foundLess) }

// Visible reports whether a message is due that no read has tried yet.
func (s *Schedule) Visible(now time.Time) bool {
	return s.many || len(s.known) > 0 && !s.known[0].at.After(now)
}

// MayComeBack notes that messages may have become visible below the mark.
func (s *Schedule) MayComeBack() { s.sweep.wanted = true }

// CameBack notes messages that are visible again.
func (s *Schedule) CameBack(ids []int64) {
	back := make([]due, len(ids))
	for i, id := range ids {
		back[i] = due{id, time.Now()}
	}
	s.known = append(back, s.known...)
}

// Next returns the time until there is something to do: a message falls due, or
// the sweep's next step is to be made.
func (s *Schedule) Next(now time.Time) time.Duration {
	left := time.Duration(math.MaxInt64)
	if len(s.known) > 0 {
		left = s.known[0].at.Sub(now)
	}
	return min(left, s.sweep.next(now))
}

// First returns where a scan of all that may be visible begins.
func (s *Schedule) First() int64 {
	if s.sweep.slow {
		return s.low.mark
	}
	return 0
}

// Sweep returns the ids of the sweep's next step, from first on and below before,
// if it is time for one. On a busy queue, which is read without scans in between,
// one pass follows the other.
func (s *Schedule) Sweep(now time.Time, busy bool) (first, before int64, ok bool) {
	return s.sweep.step(now, s.low.mark, busy)
}

// Scanned notes the result of a scan of the ids from first on and below before.
func (s *Schedule) Scanned(first, before int64, o db.ScanRow) {
	took := Took(o.Took)
	s.sweep.stale = false
	if first < s.low.mark {
		s.sweep.end = time.Now()
	}
	s.learn(first, before, o)
	if before != NoEnd {
		s.sweep.stepped(first, before, max(before, o.Beyond), s.low.mark, took)
		return
	}
	id := max(o.Last+1, s.low.passed)
	for i, msgID := range o.MsgIDs {
		if o.DueIns[i] <= 0 && msgID >= s.low.mark {
			id = msgID
			break
		}
	}
	s.low.Pass(id, o.OldestRunning, o.NextID)
	if first == 0 {
		s.sweep.wholeScan(took)
	}
}

// learn replaces the known messages of a range of ids.
func (s *Schedule) learn(first, before int64, o db.ScanRow) {
	now := time.Now()
	s.known = slices.DeleteFunc(s.known, func(d due) bool { return first <= d.id && d.id < before })
	visible := 0
	for i, id := range o.MsgIDs {
		if o.DueIns[i] <= 0 {
			visible++
		}
		s.known = append(s.known, due{id, now.Add(time.Duration(o.DueIns[i] * float64(time.Second)))})
	}
	if visible == maxNamed {
		// Too many to remember: read them as if they were new.
		s.low.lower(o.MsgIDs[0])
		s.known, s.sweep.from, s.many = nil, 0, true
		return
	}
	slices.SortStableFunc(s.known, func(a, b due) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	s.known = s.known[:min(len(s.known), maxKnown)]
}

// Params returns the parameters of a scan from first on and below before. A wide
// step also looks where the next ids are: they may have jumped, as those do that
// several servers hand out.
func Params(first, before int64) db.ScanParams {
	jump := before != NoEnd && before-first >= jumpWidth
	return db.ScanParams{First: first, Before: before, Within: horizon, Most: maxNamed, LookBeyond: jump}
}
