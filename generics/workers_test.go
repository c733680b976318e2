package generics_test

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

func TestJobsRunInOrderAndAsManyAtOnceAsThereAreWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		jobs := source{size: 10}
		var at [10]time.Duration
		cancel, done := working(t, &generics.Workers[int]{
			Count: 3, Fetch: jobs.fetch, Finish: nothing,
			Run: func(job int) { at[job] = time.Since(start); time.Sleep(time.Second) },
		})
		time.Sleep(time.Minute)
		cancel()
		if !ended(t, done) {
			t.Fatal("it goes on")
		}
		for job, at := range at {
			if want := time.Duration(job/3) * time.Second; at != want {
				t.Errorf("job %d at %v, not %v", job, at, want)
			}
		}
	})
}

func TestOneWorkerRunsShortJobsInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 2000}
		next := 0
		p := &generics.Workers[int]{Ahead: 100, Fetch: jobs.fetch, Finish: nothing} // Count 0 is one
		p.Run = func(job int) {
			if job != next {
				t.Errorf("%d, not %d", job, next)
			}
			next++
		}
		cancel, done := working(t, p)
		cancel()
		if !ended(t, done) || next != 2000 {
			t.Error(next)
		}
	})
}

func TestFinishKeepsNoWorkerButHoldsFetchingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 1000}
		var ran atomic.Int64
		release := make(chan struct{})
		cancel, done := working(t, &generics.Workers[int]{
			Count: 2, Ahead: 10, Fetch: jobs.fetch,
			Run:    func(int) { ran.Add(1) },
			Finish: func([]int) { <-release },
		})
		// 2·(2+10), less the room that is too small for a fetch.
		if n := ran.Load(); n > 24 || n <= 24-5 {
			t.Errorf("%d ran", n)
		}
		close(release)
		synctest.Wait()
		cancel()
		if !ended(t, done) || ran.Load() != 1000 {
			t.Error(ran.Load())
		}
	})
}

func TestFinishGetsTogetherWhatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 4}
		var finished [][]int
		cancel, done := working(t, &generics.Workers[int]{
			Ahead: 10, Fetch: jobs.fetch,
			Run: func(int) { time.Sleep(time.Second) },
			Finish: func(jobs []int) {
				finished = append(finished, jobs)
				time.Sleep(2500 * time.Millisecond)
			},
		})
		time.Sleep(time.Minute)
		cancel()
		if want := [][]int{{0}, {1, 2}, {3}}; !ended(t, done) || !reflect.DeepEqual(finished, want) {
			t.Errorf("%v, not %v", finished, want)
		}
	})
}

func TestRoomIsAskedWhenFetchTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rooms []int
		first := true
		cancel, done := working(t, &generics.Workers[int]{
			Count: 4, Finish: nothing,
			Fetch: func(ctx context.Context, room func() int) ([]int, error) {
				if first {
					first = false
					rooms = append(rooms, room())
					return []int{1, 1, 2}, nil
				}
				rooms = append(rooms, room())
				time.Sleep(1500 * time.Millisecond)
				rooms = append(rooms, room())
				<-ctx.Done()
				return nil, ctx.Err()
			},
			Run: func(job int) { time.Sleep(time.Duration(job) * time.Second) },
		})
		time.Sleep(10 * time.Second)
		cancel()
		if !ended(t, done) || !slices.Equal(rooms, []int{4, 1, 3}) {
			t.Error(rooms)
		}
	})
}

func TestRecallTakesUnstartedJobsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 112}
		var ran []int
		var mu sync.Mutex
		p := &generics.Workers[int]{
			Count: 2, Ahead: 10, Fetch: jobs.fetch, Finish: nothing,
			Run: func(job int) {
				if job >= 100 {
					time.Sleep(time.Second)
					mu.Lock()
					ran = append(ran, job)
					mu.Unlock()
				}
			},
		}
		odd := func(job int) bool { return job%2 == 1 }
		if got := p.Recall(odd); got != nil {
			t.Errorf("%v before Work", got)
		}
		cancel, done := working(t, p)
		recalled := p.Recall(odd)
		if len(recalled) < 2 || slices.ContainsFunc(recalled, func(job int) bool { return job <= 101 || !odd(job) }) {
			t.Error(recalled)
		}
		time.Sleep(time.Minute)
		cancel()
		if !ended(t, done) {
			t.Fatal("it goes on")
		}
		all := slices.Concat(ran, recalled)
		slices.Sort(all)
		if !slices.Equal(all, upTo(112)[100:]) {
			t.Errorf("%v ran, %v were recalled", ran, recalled)
		}
	})
}

func TestWhatWasRecalledMakesRoomAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 1000}
		var fetched atomic.Int64
		p := &generics.Workers[int]{
			Count: 2, Ahead: 10, Finish: nothing, Return: func([]int) {},
			Fetch: func(ctx context.Context, room func() int) ([]int, error) {
				batch, err := jobs.fetch(ctx, room)
				fetched.Add(int64(len(batch)))
				return batch, err
			},
			Run: func(job int) {
				if job >= 100 {
					time.Sleep(time.Second)
				}
			},
		}
		cancel, done := working(t, p)
		before := fetched.Load()
		recalled := int64(len(p.Recall(func(int) bool { return true })))
		synctest.Wait()
		if more := fetched.Load() - before; more < recalled || recalled < 5 {
			t.Errorf("%d recalled, %d fetched", recalled, more)
		}
		cancel()
		time.Sleep(time.Second)
		if !ended(t, done) {
			t.Error("it goes on")
		}
	})
}
