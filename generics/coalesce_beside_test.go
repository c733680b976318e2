package generics_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

// slow flushes a batch for as many seconds as its first item says.
func slow(_ context.Context, batch []int) []generics.Result[int] {
	time.Sleep(time.Duration(batch[0]) * time.Second)
	results := make([]generics.Result[int], len(batch))
	for i, in := range batch {
		results[i].Value = 10 * in
	}
	return results
}

// after fails the test unless a call ends without an error so many seconds after start.
func after(t *testing.T, start time.Time, seconds int, err chan error) {
	t.Helper()
	if e := <-err; e != nil || time.Since(start) != time.Duration(seconds)*time.Second {
		t.Errorf("after %v and not %d s: %v", time.Since(start), seconds, e)
	}
}

func TestAFlushThatTakesLongHoldsTheNextBackForItsPatienceOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := coalescer(10, slow)
		c.Patience, c.Beside = 2*time.Second, 3
		start := time.Now()
		long := doing(t.Context(), t, c, 100)
		one, same := doing(t.Context(), t, c, 1), doing(t.Context(), t, c, 5)
		after(t, start, 3, one)
		after(t, start, 3, same)
		for i := 4; i < 10; i++ { // one at a time, as ever
			after(t, start, i, doing(t.Context(), t, c, 1))
		}
		after(t, start, 100, long)
	})
}

func TestNoMoreFlushesThanAllowedRunBesideEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := coalescer(1, slow)
		c.Patience, c.Beside = time.Second, 2
		start := time.Now()
		first, second, third, fourth := doing(t.Context(), t, c, 10), doing(t.Context(), t, c, 20), doing(t.Context(), t, c, 3), doing(t.Context(), t, c, 1)
		after(t, start, 10, first)
		after(t, start, 13, third)
		after(t, start, 14, fourth)
		after(t, start, 21, second)
	})
}

func TestWithoutPatienceOneFlushFollowsTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := coalescer(1, slow)
		c.Beside = 5
		start := time.Now()
		first, second := doing(t.Context(), t, c, 60), doing(t.Context(), t, c, 1)
		after(t, start, 60, first)
		after(t, start, 61, second)
	})
}

func TestABatchHasOnlyCallsThatAreAlikeInTheirOrder(t *testing.T) {
	t.Parallel()
	type tenant struct{}
	synctest.Test(t, func(t *testing.T) {
		var f flushes
		c := coalescer(10, f.flush)
		c.Alike = func(a, b context.Context) bool { return a.Value(tenant{}) == b.Value(tenant{}) }
		for in, of := range []string{"a", "a", "a", "b", "a", "b", "b"} {
			doing(context.WithValue(t.Context(), tenant{}, of), t, c, in)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		f.want(t, []int{0}, []int{1, 2}, []int{3}, []int{4}, []int{5, 6})
	})
}
