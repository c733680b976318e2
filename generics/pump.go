package generics

import (
	"context"
	"slices"
	"sync"
)

// Pump feeds jobs from a source to a bounded number of workers. Set the exported
// fields, the four functions among them, before Work and leave them alone then.
// It must not be copied after use.
//
// Two limits hold fetching back: the jobs that are not past Run are never more
// than Workers and the look-ahead, and those not past Finish never more than
// twice Workers and Ahead, so that a Finish that does not keep up is felt.
type Pump[J any] struct {
	// Workers is how many jobs Run at once; below 1 counts as 1.
	Workers int

	// Ahead is the most that may be fetched before a worker is free for them; 0,
	// the default, or below is none. How much of it is used, the look-ahead,
	// follows the jobs: none at first, more while jobs are short, and about what
	// the workers take up in 50 ms, so that long jobs are not hoarded. When it
	// falls, what was fetched stays; see Recall. Limit changes it later.
	Ahead int

	// Fetch waits until there are jobs and takes at most room() of them. It asks
	// for room right before it takes them, for room is at least 1 and grows while
	// Fetch waits. One Fetch runs at a time. An error ends the pump; jobs that
	// come with it are not lost. Fetch should return soon once ctx has ended.
	Fetch func(ctx context.Context, room func() int) ([]J, error)

	// Run does the job. A worker runs one after another, in a goroutine that it
	// keeps while there are some: a stack that has grown serves the next. Jobs are
	// started in the order in which they were fetched. [runtime.Goexit] in it ends
	// the job; a panic ends the program, as any does.
	Run func(J)

	// Finish gets the jobs that Run is done with, at least one, in that order: for
	// what is left to do and must not keep a worker. One Finish runs at a time; the
	// next takes all that have ended meanwhile.
	Finish func([]J)

	// Return gets the jobs, never none, that were fetched and will not be
	// started. It is called at most once, when the pump ends and while started
	// jobs may still run.
	Return func([]J)

	mu         sync.Mutex
	ready      []J // fetched and not started, in order
	pace       pace
	ended      []J           // past Run, and Finish has not got them
	finishing  int           // that Finish has got
	finishes   bool          // a Finish runs or is about to
	roomy      chan struct{} // receives when it is time to fetch
	goroutines sync.WaitGroup
}

// Work fetches jobs, in the caller's goroutine, and runs them until ctx ends or
// Fetch fails. It then starts no more, gives the unstarted to Return, and waits
// for the running and their Finish. It returns Fetch's error, or nil when ctx
// had ended. One Work runs at a time.
func (p *Pump[J]) Work(ctx context.Context) error {
	p.mu.Lock()
	p.pace = newPace(p.Workers, p.Ahead)
	p.roomy = make(chan struct{}, 1)
	p.mu.Unlock()

	defer p.goroutines.Wait()
	defer p.giveBack()
	for p.awaitRoom(ctx) {
		jobs, err := p.Fetch(ctx, p.room)
		p.add(ctx, jobs)
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// Recall takes back the jobs that wait for a worker and for which pick is true:
// it returns them, in order, and they are neither started nor given to Return.
// pick must not call the pump. Any goroutine may call Recall at any time.
func (p *Pump[J]) Recall(pick func(J) bool) []J {
	p.mu.Lock()
	defer p.mu.Unlock()
	var recalled []J
	p.ready = slices.DeleteFunc(p.ready, func(job J) bool {
		picked := pick(job)
		if picked {
			recalled = append(recalled, job)
		}
		return picked
	})
	p.signal()
	return recalled
}
