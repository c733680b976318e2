package scan

import (
	"cmp"
	"math"
	"time"
)

// sweep goes through the ids below the low-water mark in steps, with rests in
// between. Each step should take about as long as any scan: ranges that were
// nearly empty in the last pass are scanned in wide steps, ranges full of dead or
// hidden rows in narrow ones.
type sweep struct {
	slow   bool          // a scan of the whole queue is: sweep instead
	wanted bool          // something may have come back below the mark
	stale  bool          // the queue was read since the last scan
	from   int64         // where the next step begins; 0 between passes
	dense  int64         // where the dense range began in the last pass; 0 for nowhere
	met    int64         // the same in this pass
	wide   int64         // width of a step before the dense range, in ids; 0 for the first width
	narrow int64         // width of a step in it
	took   time.Duration // by the last step, or by the last scan of the whole queue
	end    time.Time     // of the last scan below the mark
}

// next returns the time until the next step, if one is wanted.
func (s *sweep) next(now time.Time) time.Duration {
	if s.slow && (s.wanted || s.from > 0) {
		return s.end.Add(RestAfter(s.took)).Sub(now)
	}
	return math.MaxInt64
}

// step returns the range of the next step below the mark, if it is time for one.
func (s *sweep) step(now time.Time, mark int64, busy bool) (first, before int64, ok bool) {
	since := now.Sub(s.end)
	ok = mark > 0 && since >= RestAfter(s.took) &&
		(s.from > 0 || s.wanted && s.slow || busy && s.stale && since >= sweepInterval)
	before = s.from + cmp.Or(*s.width(), firstWidth)
	if s.from < s.dense {
		before = min(before, s.dense)
	}
	return s.from, min(before, mark), ok
}

// stepped notes how long a step took, and where the next ids are. At the mark the
// pass ends.
func (s *sweep) stepped(first, before, beyond, mark int64, took time.Duration) {
	if first == 0 {
		s.wanted = false
	}
	s.adapt(first, before, took)
	s.from, s.took = beyond, took
	if beyond >= mark {
		s.from, s.slow = 0, first > 0 || took > cheap
		s.dense, s.met = s.met, 0
	}
}

// wholeScan notes that a scan went through the whole queue, in place of a pass.
func (s *sweep) wholeScan(took time.Duration) {
	s.slow, s.from, s.took, s.wanted = took > cheap, 0, took, false
}

// width returns the width of the next step. Before the dense range it may be wide,
// but not from where that range begins: a step would be slow once in each pass.
func (s *sweep) width() *int64 {
	if s.met > 0 || s.dense > 0 && s.from >= s.dense {
		return &s.narrow
	}
	return &s.wide
}

// adapt sets the width of the next steps by the time that one took.
func (s *sweep) adapt(first, before int64, took time.Duration) {
	width := s.width()
	if took < cheap/2 {
		*width = min(2*cmp.Or(*width, firstWidth), NoEnd/4)
		return
	}
	if width == &s.wide || took > 2*cheap {
		s.narrow = max(1, int64(float64(before-first)*cheap.Seconds()/max(took, cheap).Seconds()))
	}
	if s.met == 0 {
		s.met = max(first, 1)
	}
}
