package generics_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

func TestTheEndReturnsTheUnstartedAtOnceAndWaitsForTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 1000}
		start := time.Now()
		var returned []int
		given := make(chan time.Duration, 1)
		var ran, finished atomic.Int64
		cancel, done := working(t, &generics.Workers[int]{
			Count: 2, Ahead: 10, Fetch: jobs.fetch,
			Run: func(job int) {
				if job >= 100 { // short jobs first, so that the look-ahead grows
					time.Sleep(time.Second)
				}
				ran.Add(1)
			},
			Finish: func(jobs []int) {
				if slices.Contains(jobs, 101) {
					time.Sleep(time.Second)
				}
				finished.Add(int64(len(jobs)))
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
		cancel, done := working(t, &generics.Workers[int]{
			Count: 2, Finish: nothing,
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

func TestAnErrorOfFetchEndsWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("failure")
		start := time.Now()
		var returned []int
		p := &generics.Workers[int]{
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

func TestGoexitLosesNoWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 100}
		var finished atomic.Int64
		cancel, done := working(t, &generics.Workers[int]{
			Count: 2, Ahead: 3, Fetch: jobs.fetch,
			Run: func(int) { runtime.Goexit() },
			Finish: func(jobs []int) {
				if finished.Add(int64(len(jobs)))%2 == 0 {
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
	if os.Getenv("WORKERS_PANIC") != "" {
		p := &generics.Workers[int]{
			Fetch:  (&source{size: 1}).fetch,
			Run:    func(int) { panic("the job is broken") },
			Finish: func([]int) { println("Finish was called") },
		}
		p.Work(t.Context())
		return
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), "WORKERS_PANIC=yes")
	out, err := again.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: the job is broken") || strings.Contains(string(out), "Finish was called") {
		t.Errorf("%v: %s", err, out)
	}
}
