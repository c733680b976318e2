package scan

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// passes runs n passes of a sweep, whose steps take the longer the more dead rows
// are in them. It returns the number of steps of the last pass, and the time of
// the slowest step in the last half of the passes.
func passes(t *testing.T, s *Schedule, n int, dead func(first, before int64) int64) (steps int, slowest time.Duration) {
	t.Helper()
	for i := range n {
		for steps = 1; ; steps++ {
			s.sweep.slow, s.sweep.wanted = true, true
			first, before, ok := s.Sweep(s.sweep.end.Add(time.Hour), false)
			if !ok || before <= first {
				t.Fatalf("step %d of pass %d is from %d to %d", steps, i+1, first, before)
			}
			took := 200*time.Microsecond + time.Duration(dead(first, before))*500*time.Nanosecond
			s.Scanned(first, before, db.ScanRow{Took: took.Seconds()})
			if i >= n/2 {
				slowest = max(slowest, took)
			}
			if s.sweep.from == 0 {
				break
			}
		}
	}
	return steps, slowest
}

func TestASweepsStepsAreNarrowWhereTheDeadAreManyAndWideWhereThereAreNone(t *testing.T) {
	none := func(int64, int64) int64 { return 0 }
	from := func(id int64) func(first, before int64) int64 {
		return func(first, before int64) int64 { return max(0, before-max(first, id)) }
	}
	var s Schedule
	s.low.mark = 300_000
	if steps, _ := passes(t, &s, 100, none); steps != 1 {
		t.Errorf("an empty range takes %d steps", steps)
	}
	s.low.mark = 600_000
	if _, slowest := passes(t, &s, 10, from(300_000)); slowest > 2*cheap {
		t.Errorf("a step through the dead takes %v", slowest)
	}
	s.low.mark = 1_000_000_000
	if steps, slowest := passes(t, &s, 60, from(s.low.mark-100_000)); steps > 100 || slowest > 2*cheap {
		t.Errorf("100,000 dead behind many that are gone take %d steps, of up to %v", steps, slowest)
	}
	if steps, _ := passes(t, &s, 10, none); steps != 1 {
		t.Errorf("an empty range takes %d steps, when they are gone", steps)
	}
}

func TestASweepGoesThroughAllIdsBelowTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Schedule{low: LowWater{mark: 20_000}, sweep: sweep{slow: true, wanted: true}}
		next, began := int64(0), time.Now()
		for s.sweep.wanted || s.sweep.from > 0 {
			first, before, now := s.Sweep(time.Now(), false)
			if !now {
				time.Sleep(max(s.Next(time.Now()), time.Millisecond))
				continue
			}
			if first != next || before <= first || before > 20_000 {
				t.Fatalf("after %d comes a step from %d to %d", next, first, before)
			}
			next = before
			s.Scanned(first, before, db.ScanRow{Took: 0.010})
		}
		if next != 20_000 {
			t.Fatalf("the pass ended at %d", next)
		}
		if took := time.Since(began); took < 99*RestAfter(10*time.Millisecond) {
			t.Errorf("a hundred steps of 10 ms took %v, with hardly a rest", took)
		}
	})
}

func TestASweepSkipsIdsThatWereNeverHandedOut(t *testing.T) {
	const jump = 1 << 48
	var s Schedule
	s.low.mark = 5*jump + 1000
	steps := 0
	for s.sweep.slow, s.sweep.wanted = true, true; ; steps++ {
		first, before, ok := s.Sweep(s.sweep.end.Add(time.Hour), false)
		if !ok || before <= first || steps > 100 {
			t.Fatalf("step %d is from %d to %d", steps, first, before)
		}
		o := db.ScanRow{Beyond: before, Took: 0.0002}
		if next := before/jump*jump + jump; Params(first, before).LookBeyond && before%jump > 1000 {
			o.Beyond = next // where the next server's ids begin
		}
		if s.Scanned(first, before, o); s.sweep.from == 0 {
			break
		}
	}
	if steps > 20 {
		t.Errorf("a pass through five jumps takes %d steps", steps)
	}
}

// The time of a round trip is no reason to look less often.
func TestARoundTripIsNoCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Schedule
		time.Sleep(50 * time.Millisecond) // the link
		s.Scanned(0, NoEnd, db.ScanRow{Took: 0.0002})
		if s.sweep.slow || s.sweep.took != 200*time.Microsecond {
			t.Errorf("the scan counts as slow, of %v", s.sweep.took)
		}
		var r Reader
		for range 3 {
			_ = r.Read(1, func(int64, int) (int, time.Duration, error) {
				time.Sleep(50 * time.Millisecond)
				return 0, 200 * time.Microsecond, nil
			})
		}
		r.low.mark = 100
		if first, _ := r.start(time.Now()); first != 0 {
			t.Errorf("reads begin at %d", first)
		}
	})
}
