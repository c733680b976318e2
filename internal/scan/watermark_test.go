package scan

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheMarkWaitsForTransactionsThatMayHaveSentBelowIt(t *testing.T) {
	type pass struct{ id, oldest, next, mark int64 }
	for name, passes := range map[string][]pass{
		"nobody else is running": {
			{100, 10, 10, 0}, {200, 11, 11, 0}, // transactions of this pass may have drawn an id below 100
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
			var w LowWater
			for i, p := range passes {
				if w.Pass(p.id, p.oldest, p.next); w.mark != p.mark {
					t.Fatalf("after pass %d the mark is %d, not %d", i+1, w.mark, p.mark)
				}
			}
		})
	}
}

func TestTheMarkDoesNotWaitForALongTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w LowWater
		w.Pass(100, 10, 15)
		w.Pass(200, 10, 16)
		time.Sleep(commitGrace + time.Millisecond)
		if w.Pass(300, 10, 17); w.mark != 100 {
			t.Fatalf("the mark is %d after %v", w.mark, commitGrace)
		}
	})
}
