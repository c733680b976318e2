package generics_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pgmq-go/pgmq/generics"
)

// woken reports whether the waiter was woken, and uses the wake-up.
func woken(w *generics.Waiter[string]) bool {
	select {
	case <-w.C:
		return true
	default:
		return false
	}
}

func TestWakeWakesTheOldestWaiterOfItsKey(t *testing.T) {
	t.Parallel()
	var wakers generics.Wakers[string]
	other, first, second := wakers.Wait("b"), wakers.Wait("a"), wakers.Wait("a")
	if n := wakers.Waiting("a"); n != 2 {
		t.Errorf("%d wait", n)
	}
	if !wakers.Wake("a") || !woken(first) || woken(second) || woken(other) {
		t.Error("not the first alone")
	}
	if !wakers.Wake("a") || !woken(second) || woken(first) || woken(other) {
		t.Error("not the second alone")
	}
	if wakers.Wake("a") || wakers.Waiting("a") != 0 || wakers.Waiting("b") != 1 {
		t.Error("a waiter was woken and still waits")
	}
}

func TestAWakeUpWithoutAWaiterIsNotKept(t *testing.T) {
	t.Parallel()
	var wakers generics.Wakers[string]
	if wakers.Wake("a") || woken(wakers.Wait("a")) {
		t.Error("it was kept")
	}
}

func TestAStoppedWaiterIsNotWoken(t *testing.T) {
	t.Parallel()
	var wakers generics.Wakers[string]
	first, second, third := wakers.Wait("a"), wakers.Wait("a"), wakers.Wait("a")
	second.Stop()
	second.Stop()
	if n := wakers.Waiting("a"); n != 2 {
		t.Errorf("%d wait", n)
	}
	wakers.Wake("a")
	wakers.Wake("a")
	if !woken(first) || woken(second) || !woken(third) {
		t.Error("the second was woken")
	}
}

func TestAnUnusedWakeUpIsPassedOnAndAUsedOneIsNot(t *testing.T) {
	t.Parallel()
	var wakers generics.Wakers[string]
	first, second, third := wakers.Wait("a"), wakers.Wait("a"), wakers.Wait("a")
	wakers.Wake("a")
	first.Stop()
	first.Stop()
	if !woken(second) {
		t.Error("the wake-up is lost")
	}
	second.Stop()
	if woken(third) || wakers.Waiting("a") != 1 {
		t.Error("the wake-up was used twice")
	}
}

func TestWakeAllWakesEverybodyOnce(t *testing.T) {
	t.Parallel()
	var wakers generics.Wakers[string]
	wakers.WakeAll() // nobody
	a, a2, b := wakers.Wait("a"), wakers.Wait("a"), wakers.Wait("b")
	wakers.WakeAll()
	next := wakers.Wait("a")
	if !woken(a) || !woken(b) || wakers.Waiting("b") != 0 {
		t.Error("somebody sleeps on")
	}
	if a2.Stop(); woken(next) {
		t.Error("a wake-up by WakeAll was passed on")
	}
}

// The workers pass one token around, and wake a waiter after putting it back.
// Some waiters give up at the moment they are woken. After a lost wake-up all
// would sleep for good, which synctest reports.
func TestNoWakeUpOfAWaiterIsLostUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			wakers generics.Wakers[string]
			token  = make(chan struct{}, 1)
			all    sync.WaitGroup
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
			w := wakers.Wait("a")
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
						wakers.Wake("a")
					}
					cancel()
				}
			})
		}
		all.Wait()
	})
}
