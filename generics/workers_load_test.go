package generics_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/pgmq-go/pgmq/generics"
)

// Recall, the end of Work and the workers compete for the same jobs. Each job goes
// to one of them.
func TestEveryJobEndsInOnePlaceUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 20_000
		jobs := source{size: size}
		var ran, finished, recalled, returned atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		p := &generics.Workers[int]{
			Count: 8, Ahead: 100, Fetch: jobs.fetch,
			Run: func(int) {
				if ran.Add(1) == size/2 {
					cancel()
				}
			},
			Finish: func(jobs []int) { finished.Add(int64(len(jobs))) },
			Return: func(jobs []int) { returned.Add(int64(len(jobs))) },
		}
		var all sync.WaitGroup
		all.Go(func() {
			for ctx.Err() == nil && recalled.Load() < size/4 {
				recalled.Add(int64(len(p.Recall(func(job int) bool { return job%5 == 0 }))))
				runtime.Gosched()
			}
		})
		if err := p.Work(ctx); err != nil {
			t.Error(err)
		}
		all.Wait()
		if ran.Load() != finished.Load() || ran.Load()+recalled.Load()+returned.Load() != int64(jobs.next) {
			t.Errorf("%d fetched: %d ran, %d finished, %d recalled, %d returned",
				jobs.next, ran.Load(), finished.Load(), recalled.Load(), returned.Load())
		}
	})
}

func BenchmarkWorkers(b *testing.B) {
	jobs := source{size: b.N}
	ctx, cancel := context.WithCancel(b.Context())
	var ran atomic.Int64
	p := &generics.Workers[int]{
		Count: 16, Ahead: 1000, Fetch: jobs.fetch, Finish: nothing,
		Run: func(int) {
			if ran.Add(1) == int64(b.N) {
				cancel()
			}
		},
	}
	if err := p.Work(ctx); err != nil {
		b.Error(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64(b.N)/float64(jobs.fetches), "jobs/fetch")
}
