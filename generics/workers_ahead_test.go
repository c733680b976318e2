package generics_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

// load is a run of 4 workers whose jobs know when they were fetched.
type load struct {
	lasts time.Duration // how long Work runs
	ahead int
	fetch time.Duration                     // how long a fetch takes
	takes func(job int) time.Duration       // how long a job takes
	sees  func(job int, wait time.Duration) // called with the job's wait for a worker
}

// run returns the number of jobs started and the number of fetches.
func (l load) run(t *testing.T) (started, fetches int) {
	var next, out, count atomic.Int64
	p := &generics.Workers[func() time.Duration]{
		Count: 4, Ahead: l.ahead,
		Fetch: func(_ context.Context, room func() int) ([]func() time.Duration, error) {
			fetches++
			time.Sleep(l.fetch)
			jobs := make([]func() time.Duration, room())
			if n := out.Add(int64(len(jobs))); n > int64(4+l.ahead) {
				t.Errorf("%d jobs were out", n)
			}
			fetched := time.Now()
			for i := range jobs {
				job := int(next.Add(1))
				jobs[i] = func() time.Duration {
					count.Add(1)
					l.sees(job, time.Since(fetched))
					return l.takes(job)
				}
			}
			return jobs, nil
		},
		Run:    func(job func() time.Duration) { time.Sleep(job()); out.Add(-1) },
		Finish: func([]func() time.Duration) {},
		Return: func([]func() time.Duration) {},
	}
	ctx, cancel := context.WithTimeout(t.Context(), l.lasts)
	defer cancel()
	if err := p.Work(ctx); err != nil {
		t.Error(err)
	}
	return int(count.Load()), fetches
}

func TestLongJobsAreNotFetchedAhead(t *testing.T) {
	t.Parallel()
	for name, takes := range map[string]func(int) time.Duration{
		"in step":   func(int) time.Duration { return time.Second },
		"staggered": func(job int) time.Duration { return time.Second + time.Duration(job%4)*time.Millisecond },
		"at random": func(int) time.Duration { return 100*time.Millisecond + rand.N(2*time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				load{lasts: time.Minute, ahead: 1000, takes: takes, sees: func(job int, wait time.Duration) {
					if wait != 0 {
						t.Errorf("job %d waited %v", job, wait)
					}
				}}.run(t)
			})
		})
	}
}

func TestJobsAreFetchedAheadForAboutFiftyMilliseconds(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond} {
		t.Run(length.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var longest atomic.Int64
				started, _ := load{
					lasts: 10 * time.Second, ahead: 1000, fetch: 10 * time.Millisecond,
					takes: func(int) time.Duration { return length },
					sees: func(_ int, wait time.Duration) {
						for old := longest.Load(); int64(wait) > old && !longest.CompareAndSwap(old, int64(wait)); {
							old = longest.Load()
						}
					},
				}.run(t)
				// The workers are always busy, however long a fetch takes …
				if most := 4 * int(10*time.Second/length); started < most*95/100 {
					t.Errorf("%d of %d jobs", started, most)
				}
				// … and no job waits for long.
				if wait := time.Duration(longest.Load()); wait < 10*time.Millisecond || wait > 100*time.Millisecond {
					t.Errorf("a job waited %v", wait)
				}
			})
		})
	}
}

func TestJobsThatGetLongAreFetchedAheadNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		load{
			lasts: time.Minute, ahead: 100,
			takes: func(job int) time.Duration {
				if job <= 10_000 {
					return time.Millisecond
				}
				return time.Second
			},
			sees: func(job int, wait time.Duration) {
				if job > 10_000+120 && wait != 0 { // the jobs out at the change, and a few more
					t.Errorf("job %d waited %v", job, wait)
				}
			},
		}.run(t)
	})
}

func TestASlowFetchIsMadeUpForByFetchingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started, _ := load{
			lasts: 10 * time.Second, ahead: 1000, fetch: 100 * time.Millisecond,
			takes: func(int) time.Duration { return 100 * time.Microsecond },
			sees:  func(int, time.Duration) {},
		}.run(t)
		// After the first few, each of the 100 fetches brings at least half of Ahead.
		if started < 45_000 {
			t.Errorf("only %d jobs", started)
		}
	})
}

func TestFetchingAheadFetchesManyJobsAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started, fetches := load{
			lasts: 10 * time.Second, ahead: 100,
			takes: func(int) time.Duration { return time.Millisecond },
			sees:  func(int, time.Duration) {},
		}.run(t)
		if started/fetches < 45 { // half of Ahead, less the first few
			t.Errorf("%d jobs in %d fetches", started, fetches)
		}
	})
}

func TestLimitHoldsForWhatIsFetchedNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := source{size: 10_000}
		var ran atomic.Int64
		release := make(chan struct{})
		var p *generics.Workers[int]
		p = &generics.Workers[int]{
			Count: 2, Ahead: 1000, Finish: nothing, Return: func([]int) {},
			Fetch: func(ctx context.Context, room func() int) ([]int, error) {
				p.Limit(10)
				return jobs.fetch(ctx, room)
			},
			Run: func(int) {
				if ran.Add(1) > 5000 {
					<-release
				}
			},
		}
		cancel, done := working(t, p)
		if out := jobs.next - 5000; out > 12 || out <= 12-5 || jobs.most > 12 {
			t.Errorf("%d are out, %d were fetched at once", out, jobs.most)
		}
		cancel()
		close(release)
		if !ended(t, done) {
			t.Error("it goes on")
		}
	})
}
