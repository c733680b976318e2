package generics

import (
	"math/rand/v2"
	"time"
)

// Exponential returns a function that computes the pause after an attempt. The
// attempts are counted from 1; a number below 1 counts as 1. The pause starts at
// first and doubles with each attempt, up to last. A random part of up to half
// is then taken off, so that callers that failed together do not retry together.
// A first that is longer than last counts as last. A negative duration counts
// as 0.
func Exponential(first, last time.Duration) func(attempt int) time.Duration {
	first, last = max(first, 0), max(last, 0)
	return func(attempt int) time.Duration {
		doublings := max(attempt, 1) - 1
		pause := last
		if first <= last>>doublings { // a shift to the right cannot overflow
			pause = first << doublings
		}
		return pause - rand.N(pause/2+1)
	}
}
