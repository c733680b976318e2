package check

import (
	"context"
	"testing"
	"time"
)

// Patience is how long a test waits for an event that must happen sooner or later. It is
// for machines that are busy with other things: no wait should come near it.
const Patience = 2 * time.Minute

// Eventually waits for a condition. It asks often at first, and then less: most
// conditions are a query, which slows down other tests.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	const often, seldom = 2 * time.Millisecond, 40 * time.Millisecond
	pause := often
	for end := time.Now().Add(Patience); !holds(); pause = min(pause*5/4, seldom) {
		if time.Now().After(end) {
			t.Fatalf("%v passed, and it is still not so that %s", Patience, what)
		}
		time.Sleep(pause)
	}
}

// Receive receives from a channel, or until it is closed. It must be called by the
// goroutine of the test.
func Receive[V any](t testing.TB, from <-chan V) V {
	t.Helper()
	v, received := receive(from)
	if !received {
		t.Fatalf("%v passed, and nothing came", Patience)
	}
	return v
}

// Hold is for handlers and other goroutines that a test holds back: it waits until
// the test sends or closes, and no longer than a test waits for anything.
func Hold[V any](until <-chan V) { receive(until) }

func receive[V any](from <-chan V) (v V, received bool) {
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case v = <-from:
		return v, true
	case <-timer.C:
		return v, false
	}
}

// Put sends on a channel from a handler or another goroutine. It gives up after
// as long as a test waits for anything.
func Put[V any](to chan<- V, v V) {
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case to <- v:
	case <-timer.C:
	}
}

// Within returns a context of the test that ends when the test has waited for too
// long.
func Within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Repeatedly does something n times, within as long as a test waits for anything:
// so it may take long now and then, but not always.
func Repeatedly(t testing.TB, n int, what string, once func()) {
	t.Helper()
	for i, began := 0, time.Now(); i < n; i++ {
		once()
		if took := time.Since(began); took > Patience {
			t.Fatalf("%s %d times took %v", what, i+1, took)
		}
	}
}
