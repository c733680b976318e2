package generics_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

// Callers come and leave at the same moments. Every call ends, which synctest
// checks. Every call is flushed unless its error says that it left before.
func TestNoWakeUpIsLostUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			all                              sync.WaitGroup
			flushed, answered, unknown, left atomic.Int64
			underWay                         atomic.Bool
		)
		c := coalescer(4, func(_ context.Context, batch []int) []generics.Result[int] {
			if !underWay.CompareAndSwap(false, true) {
				t.Error("two flushes at once")
			}
			defer underWay.Store(false)
			runtime.Gosched()
			flushed.Add(int64(len(batch)))
			results := make([]generics.Result[int], len(batch))
			for i, in := range batch {
				results[i].Value = 10 * in
			}
			return results
		})
		const callers, calls = 16, 500
		for caller := range callers {
			all.Go(func() {
				for i := range calls {
					ctx, cancel := context.WithCancel(t.Context())
					if (caller+i)%3 == 0 {
						go cancel()
					}
					out, err := c.Do(ctx, i)
					cancel()
					switch {
					case err == nil && out == 10*i:
						answered.Add(1)
					case errors.Is(err, generics.ErrOutcomeUnknown):
						unknown.Add(1)
					case errors.Is(err, context.Canceled):
						left.Add(1)
					default:
						t.Error(out, err)
					}
				}
			})
		}
		all.Wait()
		synctest.Wait() // for a flush that all callers have left
		if answered.Load()+unknown.Load() != flushed.Load() || flushed.Load()+left.Load() != callers*calls {
			t.Errorf("%d flushed, %d answered, %d unknown, %d left", flushed.Load(), answered.Load(), unknown.Load(), left.Load())
		}
	})
}

// BenchmarkCoalescer also reports how many calls share a flush that takes 100 µs.
// With 64 callers in loops the best number is 64.
func BenchmarkCoalescer(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		c := coalescer(1, func(_ context.Context, batch []int) []generics.Result[int] {
			return make([]generics.Result[int], len(batch))
		})
		for b.Loop() {
			c.Do(b.Context(), 1)
		}
	})
	b.Run("64 callers", func(b *testing.B) {
		flushes := 0
		c := coalescer(1000, func(_ context.Context, batch []int) []generics.Result[int] {
			flushes++
			time.Sleep(100 * time.Microsecond)
			return make([]generics.Result[int], len(batch))
		})
		b.SetParallelism(64 / runtime.GOMAXPROCS(0))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.Do(b.Context(), 1)
			}
		})
		b.ReportMetric(float64(b.N)/float64(flushes), "calls/flush")
	})
}
