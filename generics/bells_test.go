package generics_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pgmq-go/pgmq/generics"
)

// rung tells whether the waiter was rung, and uses the ring.
func rung(w *generics.Waiter[string]) bool {
	select {
	case <-w.C:
		return true
	default:
		return false
	}
}

func TestARingWakesTheOldestWaiterOfItsKey(t *testing.T) {
	t.Parallel()
	var bells generics.Bells[string]
	other, first, second := bells.Wait("b"), bells.Wait("a"), bells.Wait("a")
	if n := bells.Waiting("a"); n != 2 {
		t.Errorf("%d wait", n)
	}
	if !bells.Ring("a") || !rung(first) || rung(second) || rung(other) {
		t.Error("not the first alone")
	}
	if !bells.Ring("a") || !rung(second) || rung(first) || rung(other) {
		t.Error("not the second alone")
	}
	if bells.Ring("a") || bells.Waiting("a") != 0 || bells.Waiting("b") != 1 {
		t.Error("a waiter was rung and still waits")
	}
}

func TestARingWithoutAWaiterIsNotKept(t *testing.T) {
	t.Parallel()
	var bells generics.Bells[string]
	if bells.Ring("a") || rung(bells.Wait("a")) {
		t.Error("it was kept")
	}
}

func TestAStoppedWaiterIsNotRung(t *testing.T) {
	t.Parallel()
	var bells generics.Bells[string]
	first, second, third := bells.Wait("a"), bells.Wait("a"), bells.Wait("a")
	second.Stop()
	second.Stop()
	if n := bells.Waiting("a"); n != 2 {
		t.Errorf("%d wait", n)
	}
	bells.Ring("a")
	bells.Ring("a")
	if !rung(first) || rung(second) || !rung(third) {
		t.Error("the second was rung")
	}
}

func TestAnUnusedRingIsPassedOnAndAUsedOneIsNot(t *testing.T) {
	t.Parallel()
	var bells generics.Bells[string]
	first, second, third := bells.Wait("a"), bells.Wait("a"), bells.Wait("a")
	bells.Ring("a")
	first.Stop()
	first.Stop()
	if !rung(second) {
		t.Error("the ring is lost")
	}
	second.Stop()
	if rung(third) || bells.Waiting("a") != 1 {
		t.Error("the ring was used twice")
	}
}

func TestRingAllWakesEverybodyOnce(t *testing.T) {
	t.Parallel()
	var bells generics.Bells[string]
	bells.RingAll() // nobody
	a, a2, b := bells.Wait("a"), bells.Wait("a"), bells.Wait("b")
	bells.RingAll()
	next := bells.Wait("a")
	if !rung(a) || !rung(b) || bells.Waiting("b") != 0 {
		t.Error("somebody sleeps on")
	}
	if a2.Stop(); rung(next) {
		t.Error("a ring for all was passed on")
	}
}

// One token goes round; each ring tells that it is there. Some waiters give up
// at the moment they are rung. With a lost ring all would sleep for good, which
// synctest reports.
func TestNoRingIsLostUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			bells generics.Bells[string]
			token = make(chan struct{}, 1)
			all   sync.WaitGroup
		)
		look := func() bool {
			select {
			case <-token:
				return true
			default:
				return false
			}
		}
		take := func(ctx context.Context) bool {
			w := bells.Wait("a")
			defer w.Stop()
			if look() {
				return true
			}
			select {
			case <-w.C:
				return look()
			case <-ctx.Done():
				return false
			}
		}
		token <- struct{}{}
		for worker := range 8 {
			all.Go(func() {
				for taken, i := 0, worker; taken < 500; i++ {
					ctx, cancel := context.WithCancel(t.Context())
					if i%3 == 0 {
						go cancel()
					}
					if take(ctx) {
						taken++
						token <- struct{}{}
						bells.Ring("a")
					}
					cancel()
				}
			})
		}
		all.Wait()
	})
}
