package generics

import (
	"math/rand/v2"
	"time"
)

// Exponential returns how long to pause after the attempt with the given
// number, counted from 1; below 1 counts as 1. The pause doubles from the first
// up to the last, whatever the number, and is then shortened by up to half at
// random, so that many who failed together do not march in step. A first that is
// longer than the last counts as the last; a negative duration counts as 0.
func Exponential(first, last time.Duration) func(attempt int) time.Duration {
	first, last = max(first, 0), max(last, 0)
	return func(attempt int) time.Duration {
		doublings := max(attempt, 1) - 1
		pause := last
		if first <= last>>doublings { // this way round nothing can overflow
			pause = first << doublings
		}
		return pause - rand.N(pause/2+1)
	}
}
