package generics_test

import (
	"math"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

func TestExponentialDoublesUpToTheLastLessAtMostHalf(t *testing.T) {
	t.Parallel()
	pause := generics.Exponential(time.Second, 10*time.Second)
	for attempt, full := range map[int]time.Duration{
		math.MinInt: time.Second, -1: time.Second, 0: time.Second, 1: time.Second,
		2: 2 * time.Second, 3: 4 * time.Second, 4: 8 * time.Second,
		5: 10 * time.Second, 34: 10 * time.Second, 64: 10 * time.Second, math.MaxInt: 10 * time.Second,
	} {
		shortest, longest := full, time.Duration(0)
		for range 1000 {
			p := pause(attempt)
			shortest, longest = min(shortest, p), max(longest, p)
		}
		if shortest < full/2 || longest > full {
			t.Errorf("attempt %d: from %v to %v, not within half of %v", attempt, shortest, longest, full)
		}
		if longest-shortest < full/4 {
			t.Errorf("attempt %d: only from %v to %v", attempt, shortest, longest)
		}
	}
}

func TestExponentialTakesAnyDurations(t *testing.T) {
	t.Parallel()
	const forever = time.Duration(math.MaxInt64)
	for _, c := range []struct{ first, last, least, most time.Duration }{
		{0, 0, 0, 0},
		{0, time.Hour, 0, 0},
		{-1, -1, 0, 0},
		{1, 1, 1, 1},
		{time.Hour, time.Minute, time.Minute / 2, time.Minute},
		{forever, forever, forever / 2, forever},
	} {
		for _, attempt := range []int{1, 2, 63, 64, 65, math.MaxInt} {
			if p := generics.Exponential(c.first, c.last)(attempt); p < c.least || p > c.most {
				t.Errorf("%v to %v, attempt %d: %v", c.first, c.last, attempt, p)
			}
		}
	}
}
