package generics_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

// flushes records the batches. A flush takes a second and multiplies by ten.
type flushes struct{ batches [][]int }

func (f *flushes) flush(_ context.Context, batch []int) []generics.Result[int] {
	f.batches = append(f.batches, batch)
	time.Sleep(time.Second)
	results := make([]generics.Result[int], len(batch))
	for i, in := range batch {
		results[i].Value = 10 * in
	}
	return results
}

func (f *flushes) want(t *testing.T, batches ...[]int) {
	t.Helper()
	if !slices.EqualFunc(f.batches, batches, slices.Equal) {
		t.Errorf("batches %v, not %v", f.batches, batches)
	}
}

func coalescer(most int, flush func(context.Context, []int) []generics.Result[int]) *generics.Coalescer[int, int] {
	return &generics.Coalescer[int, int]{Most: most, Flush: flush}
}

// doing starts Do and returns a channel that receives its error. It checks the
// value.
func doing(ctx context.Context, t *testing.T, c *generics.Coalescer[int, int], in int) chan error {
	err := make(chan error, 1)
	go func() {
		out, e := c.Do(ctx, in)
		if e == nil && out != 10*in {
			t.Errorf("%d for %d", out, in)
		}
		err <- e
	}()
	synctest.Wait() // so that calls come in order
	return err
}

func TestASingleCallIsFlushedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := coalescer(10, func(_ context.Context, batch []int) []generics.Result[int] {
			if time.Since(start) != 0 {
				t.Errorf("after %v", time.Since(start))
			}
			return []generics.Result[int]{{Value: batch[0]}}
		})
		if out, err := c.Do(t.Context(), 7); out != 7 || err != nil {
			t.Error(out, err)
		}
	})
}

func TestCallsGatherWhileAFlushIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flushes
		c := coalescer(3, f.flush)
		start := time.Now()
		var all []chan error
		for in := range 6 {
			all = append(all, doing(t.Context(), t, c, in))
		}
		for in, err := range all {
			if e := <-err; e != nil {
				t.Error(e)
			}
			if after, want := time.Since(start), []time.Duration{1, 2, 2, 2, 3, 3}[in]*time.Second; after != want {
				t.Errorf("%d after %v, not %v", in, after, want)
			}
		}
		f.want(t, []int{0}, []int{1, 2, 3}, []int{4, 5})
	})
}

func TestAMostBelowOneIsOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flushes
		c := coalescer(0, f.flush)
		for in := range 3 {
			doing(t.Context(), t, c, in)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		f.want(t, []int{0}, []int{1}, []int{2})
	})
}

func TestAnEndedContextIsNotFlushed(t *testing.T) {
	t.Parallel()
	var f flushes
	cause := errors.New("the cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := coalescer(1, f.flush).Do(ctx, 1); !errors.Is(err, cause) {
		t.Error(err)
	}
	f.want(t)
}

func TestAWaitingCallMayLeaveAndIsNeverFlushed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flushes
		c := coalescer(10, f.flush)
		cause := errors.New("the cause")
		ctx, cancel := context.WithCancelCause(t.Context())
		stays := doing(t.Context(), t, c, 0)
		leaves := doing(ctx, t, c, 1)
		follows := doing(t.Context(), t, c, 2)
		cancel(cause)
		if err := <-leaves; !errors.Is(err, cause) || errors.Is(err, generics.ErrOutcomeUnknown) {
			t.Error(err)
		}
		if err := errors.Join(<-stays, <-follows); err != nil {
			t.Error(err)
		}
		f.want(t, []int{0}, []int{2})
	})
}

func TestAFlushedCallMayLeaveWithAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flushes
		c := coalescer(10, f.flush)
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		doing(t.Context(), t, c, 0)
		first, second, stays := doing(ctx, t, c, 1), doing(ctx, t, c, 2), doing(t.Context(), t, c, 3)
		time.Sleep(1500 * time.Millisecond)
		cancel()
		for _, leaves := range []chan error{first, second} {
			err := <-leaves
			if !errors.Is(err, generics.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) || time.Since(start) != 1500*time.Millisecond {
				t.Error(time.Since(start), err)
			}
		}
		if err := <-stays; err != nil || time.Since(start) != 2*time.Second {
			t.Error(time.Since(start), err)
		}
		f.want(t, []int{0}, []int{1, 2, 3})
	})
}

func TestTheFlushHasItsFirstCallersValuesAndEndsWithItsLastCaller(t *testing.T) {
	t.Parallel()
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		var ended time.Duration
		start := time.Now()
		c := coalescer(10, func(ctx context.Context, batch []int) []generics.Result[int] {
			if len(batch) == 1 {
				time.Sleep(time.Second)
				return make([]generics.Result[int], 1)
			}
			if ctx.Value(key{}) != "value" {
				t.Error(ctx)
			}
			<-ctx.Done()
			ended = time.Since(start)
			return make([]generics.Result[int], len(batch))
		})
		doing(t.Context(), t, c, 0)
		one, cancelOne := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), 2*time.Second)
		defer cancelOne()
		other, cancelOther := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancelOther()
		first, last := doing(one, t, c, 0), doing(other, t, c, 0)
		for _, err := range []error{<-first, <-last} {
			if !errors.Is(err, generics.ErrOutcomeUnknown) {
				t.Error(err)
			}
		}
		synctest.Wait()
		if ended != 3*time.Second {
			t.Errorf("the flush's context ended after %v", ended)
		}
	})
}

func TestABatchIsNotHeavierThanAllowedUnlessOneItemIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flushes
		c := coalescer(10, f.flush)
		c.Heaviest, c.Weigh = 10, func(in int) int { return in }
		for _, in := range []int{1, 4, 6, 1, 50, 3} {
			doing(t.Context(), t, c, in)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		f.want(t, []int{1}, []int{4, 6}, []int{1}, []int{50}, []int{3})
	})
}
