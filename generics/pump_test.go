package generics_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

// source gives out 0, 1, 2, … up to its size and then waits for ctx's end.
type source struct {
	size, next int
	most       int // the largest room that it was given
	fetches    int
}

func (s *source) fetch(ctx context.Context, room func() int) ([]int, error) {
	if s.next == s.size {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n := min(room(), s.size-s.next)
	s.most = max(s.most, n)
	s.fetches++
	jobs := make([]int, n)
	for i := range jobs {
		jobs[i] = s.next
		s.next++
	}
	return jobs, nil
}

// upTo returns 0, 1, 2, … up to and without n.
func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

func nothing(int) {}

// working starts Work and returns how to end it and where its error will be.
func working(t *testing.T, p *generics.Pump[int]) (context.CancelFunc, chan error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Work(ctx) }()
	synctest.Wait()
	return cancel, done
}

func ended(t *testing.T, done chan error) bool {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
		return true
	default:
		return false
	}
}

func TestJobsRunInOrderAndAsManyAtOnceAsThereAreWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		jobs := source{size: 10}
		var at [10]time.Duration
		cancel, done := working(t, &generics.Pump[int]{
			Workers: 3, Fetch: jobs.fetch, Finish: nothing,
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
		p := &generics.Pump[int]{Ahead: 100, Fetch: jobs.fetch, Finish: nothing} // Workers 0 is one
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

func TestTheEndReturnsTheUnstartedAtOnceAndWaitsForTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 1000}
		start := time.Now()
		var returned []int
		given := make(chan time.Duration, 1)
		var ran, finished atomic.Int64
		cancel, done := working(t, &generics.Pump[int]{
			Workers: 2, Ahead: 10, Fetch: jobs.fetch,
			Run: func(job int) {
				if job >= 100 { // short ones first, so that there is a look-ahead
					time.Sleep(time.Second)
				}
				ran.Add(1)
			},
			Finish: func(job int) {
				if job >= 100 {
					time.Sleep(time.Second)
				}
				finished.Add(1)
			},
			Return: func(jobs []int) {
				returned = append(returned, jobs...)
				given <- time.Since(start)
			},
		})
		cancel()
		if after := <-given; after != 0 {
			t.Errorf("it returned them after %v", after)
		}
		time.Sleep(1999 * time.Millisecond)
		if ended(t, done) {
			t.Error("it did not wait")
		}
		time.Sleep(time.Millisecond)
		if !ended(t, done) || ran.Load() != 102 || finished.Load() != 102 {
			t.Error(ran.Load(), finished.Load())
		}
		if len(returned) < 5 || !slices.Equal(returned, upTo(jobs.next)[102:]) {
			t.Errorf("%v of %d", returned, jobs.next)
		}
	})
}

func TestJobsThatComeAfterTheEndAreReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var returned []int
		cancel, done := working(t, &generics.Pump[int]{
			Workers: 2, Finish: nothing,
			Fetch: func(ctx context.Context, _ func() int) ([]int, error) {
				<-ctx.Done()
				return []int{1, 2}, errors.New("closed in the middle")
			},
			Run:    func(int) { t.Error("it ran") },
			Return: func(jobs []int) { returned = append(returned, jobs...) },
		})
		cancel()
		if !ended(t, done) || !slices.Equal(returned, []int{1, 2}) {
			t.Error(returned)
		}
	})
}

func TestAnErrorOfFetchEndsThePump(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("failure")
		start := time.Now()
		var returned []int
		p := &generics.Pump[int]{
			Fetch:  func(context.Context, func() int) ([]int, error) { return []int{1, 2}, failure },
			Run:    func(int) { time.Sleep(time.Second) },
			Finish: nothing,
			Return: func(jobs []int) { returned = append(returned, jobs...) },
		}
		if err := p.Work(t.Context()); !errors.Is(err, failure) || time.Since(start) != time.Second {
			t.Error(time.Since(start), err)
		}
		if !slices.Equal(returned, []int{2}) {
			t.Error(returned)
		}
	})
}

func TestFinishKeepsNoWorkerButHoldsFetchingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 1000}
		var ran atomic.Int64
		release := make(chan struct{})
		cancel, done := working(t, &generics.Pump[int]{
			Workers: 2, Ahead: 10, Fetch: jobs.fetch,
			Run:    func(int) { ran.Add(1) },
			Finish: func(int) { <-release },
		})
		// 2·(2+10), less what is too little to fetch.
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

func TestRoomIsAskedWhenFetchTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rooms []int
		first := true
		cancel, done := working(t, &generics.Pump[int]{
			Workers: 4, Finish: nothing,
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

func TestGoexitLosesNoWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 100}
		var finished atomic.Int64
		cancel, done := working(t, &generics.Pump[int]{
			Workers: 2, Ahead: 3, Fetch: jobs.fetch,
			Run: func(int) { runtime.Goexit() },
			Finish: func(int) {
				if finished.Add(1)%2 == 0 {
					runtime.Goexit()
				}
			},
		})
		cancel()
		if !ended(t, done) || finished.Load() != 100 {
			t.Error(finished.Load())
		}
	})
}

func TestAPanicInRunEndsTheProgramUnfinished(t *testing.T) {
	t.Parallel()
	if os.Getenv("PUMP_PANICS") != "" {
		p := &generics.Pump[int]{
			Fetch:  (&source{size: 1}).fetch,
			Run:    func(int) { panic("the job is broken") },
			Finish: func(int) { println("Finish was called") },
		}
		p.Work(t.Context())
		return
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), "PUMP_PANICS=yes")
	out, err := again.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: the job is broken") || strings.Contains(string(out), "Finish was called") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRecallTakesUnstartedJobsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 112}
		var ran []int
		var mu sync.Mutex
		p := &generics.Pump[int]{
			Workers: 2, Ahead: 10, Fetch: jobs.fetch, Finish: nothing,
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

// Recall, the end and the workers race for the same jobs: each gets to one.
func TestEveryJobEndsInOnePlaceUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 20_000
		jobs := source{size: size}
		var ran, finished, recalled, returned atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		p := &generics.Pump[int]{
			Workers: 8, Ahead: 100, Fetch: jobs.fetch,
			Run: func(int) {
				if ran.Add(1) == size/2 {
					cancel()
				}
			},
			Finish: func(int) { finished.Add(1) },
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

func BenchmarkPump(b *testing.B) {
	jobs := source{size: b.N}
	ctx, cancel := context.WithCancel(b.Context())
	var ran atomic.Int64
	p := &generics.Pump[int]{
		Workers: 16, Ahead: 1000, Fetch: jobs.fetch, Finish: nothing,
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
