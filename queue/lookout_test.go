package queue

import (
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// passes has a consumer look below its floor, where a part takes as long as there
// are dead in it. It returns the parts of the last pass, and how long the dearest
// of the last half of the passes took.
func passes(t *testing.T, l *lookout, n int, dead func(first, before int64) int64) (parts int, dearest time.Duration) {
	t.Helper()
	for i := range n {
		for parts = 1; ; parts++ {
			l.dear, l.wanted = true, true
			first, before, ok := l.below(l.end.Add(time.Hour), false)
			if !ok || before <= first {
				t.Fatalf("part %d of pass %d is from %d to %d", parts, i+1, first, before)
			}
			took := 200*time.Microsecond + time.Duration(dead(first, before))*500*time.Nanosecond
			l.note(first, before, db.LookRow{}, took)
			if i >= n/2 {
				dearest = max(dearest, took)
			}
			if l.from == 0 {
				break
			}
		}
	}
	return parts, dearest
}

func TestALookBelowTheFloorIsShortWhereTheDeadAreManyAndWideWhereThereAreNone(t *testing.T) {
	none := func(int64, int64) int64 { return 0 }
	from := func(id int64) func(first, before int64) int64 {
		return func(first, before int64) int64 { return max(0, before-max(first, id)) }
	}
	var l lookout
	l.floor.at = 300_000
	if parts, _ := passes(t, &l, 100, none); parts != 1 {
		t.Errorf("nothing is looked through in %d parts", parts)
	}
	l.floor.at = 600_000
	if _, dearest := passes(t, &l, 10, from(300_000)); dearest > 2*anyLook {
		t.Errorf("a part of the dead takes %v", dearest)
	}
	l.floor.at = 1_000_000_000
	if parts, dearest := passes(t, &l, 60, from(l.floor.at-100_000)); parts > 100 || dearest > 2*anyLook {
		t.Errorf("100,000 dead behind many that are gone are looked through in %d parts, of up to %v", parts, dearest)
	}
	if parts, _ := passes(t, &l, 10, none); parts != 1 {
		t.Errorf("nothing is looked through in %d parts, when they are gone", parts)
	}
}
