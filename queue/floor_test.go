package queue

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

func TestTheFloorWaitsForWhoMayHaveSentBelowIt(t *testing.T) {
	type look struct{ id, oldest, next, floor int64 }
	for name, looks := range map[string][]look{
		"nobody else is running": {
			{100, 10, 10, 0}, {200, 11, 11, 0}, // what ran at this look may have drawn an id below 100
			{300, 12, 12, 100}, {400, 13, 13, 200},
		},
		"a sender is running": {
			{100, 10, 15, 0}, {200, 10, 16, 0}, {300, 15, 17, 0}, // 15 may be the sender
			{400, 16, 18, 100}, {500, 17, 19, 100}, {600, 18, 20, 300},
		},
		"a read that ends below it": {
			{100, 10, 10, 0},
			{100, 11, 11, 0},
			{40, 12, 12, 40},
			{70, 12, 12, 70},
			{130, 12, 12, 100},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var f floor
			for i, l := range looks {
				if f.pass(l.id, l.oldest, l.next); f.at != l.floor {
					t.Fatalf("after look %d the floor is %d, not %d", i+1, f.at, l.floor)
				}
			}
		})
	}
}

func TestTheFloorDoesNotWaitForALongTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f floor
		f.pass(100, 10, 15)
		f.pass(200, 10, 16)
		time.Sleep(lateTime + time.Millisecond)
		if f.pass(300, 10, 17); f.at != 100 {
			t.Fatalf("the floor is %d after %v", f.at, lateTime)
		}
	})
}

func TestLookingBelowTheFloorGoesThroughAllOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lookout{floor: floor{at: 1_000_000}, dear: true, wanted: true}
		next, began := int64(0), time.Now()
		for l.wanted || l.from > 0 {
			first, before, now := l.below(time.Now(), false)
			if !now {
				time.Sleep(max(l.next(time.Now()), time.Millisecond))
				continue
			}
			if first != next || before <= first || before > 1_000_000 {
				t.Fatalf("after %d comes a look from %d to %d", next, first, before)
			}
			next = before
			l.note(first, before, db.LookRow{}, 10*time.Millisecond)
		}
		if next != 1_000_000 {
			t.Fatalf("the pass ended at %d", next)
		}
		if took := time.Since(began); took < 99*restAfter(10*time.Millisecond) {
			t.Errorf("a hundred looks of 10 ms took %v, with hardly a rest", took)
		}
	})
}
