package generics

import (
	"context"
	"slices"
	"sync"
)

// Workers fetches jobs from a source and runs a bounded number of them at once.
// Set the exported fields, all four functions among them, before Work and do not
// change them later. It must not be copied after use.
//
// Two limits hold fetching back. At most Count plus the look-ahead are fetched
// and not yet past Run. At most twice Count plus Ahead are not yet past Finish,
// so that a slow Finish slows fetching down.
type Workers[J any] struct {
	// Count is the number of jobs that Run at once; below 1 counts as 1.
	Count int

	// Ahead is the largest look-ahead: the number of jobs that may be fetched
	// before a worker is free for them. The default 0 and any number below mean
	// none. The look-ahead itself starts at none and follows the jobs: it grows
	// while they are short, up to about the jobs that the workers do in 50 ms. So
	// long jobs are not hoarded. When it falls, the fetched jobs stay; see
	// Recall. Limit changes Ahead later.
	Ahead int

	// Fetch waits until there are jobs and takes at most room() of them. It calls
	// room right before it takes them, as room is at least 1 and can grow while
	// Fetch waits. Calls of Fetch do not overlap. An error ends Work; the jobs that
	// come with it are not lost. Fetch should return soon after ctx has ended.
	Fetch func(ctx context.Context, room func() int) ([]J, error)

	// Run does the job. Jobs start in the order in which they were fetched. A
	// worker keeps its goroutine while there are jobs, so that a stack that has
	// grown serves the next. [runtime.Goexit] in Run ends the job only; a panic
	// ends the program.
	Run func(J)

	// Finish gets the jobs that are past Run, at least one, in the order in which
	// they ended. It does the rest of the work that must not occupy a worker.
	// Calls of Finish do not overlap; the next gets all jobs that ended meanwhile.
	Finish func([]J)

	// Return gets the jobs, at least one, that were fetched and will not be
	// started. It is called at most once, at the end of Work, while started jobs
	// may still run.
	Return func([]J)

	mu         sync.Mutex // guards the fields below
	ready      []J        // fetched and not started, in order
	lookahead  lookahead
	ended      []J           // past Run and not yet given to Finish
	finishing  int           // the number of jobs that Finish works on
	finishes   bool          // a goroutine runs finish, or is about to
	roomy      chan struct{} // receives when it is time to fetch
	goroutines sync.WaitGroup
}

// Work fetches jobs in the caller's goroutine and runs them until ctx ends or
// Fetch fails. It then starts no more jobs, gives the unstarted ones to Return,
// and waits until the running ones are past Finish. It returns Fetch's error, or
// nil when ctx had ended. Calls of Work must not overlap.
func (w *Workers[J]) Work(ctx context.Context) error {
	w.mu.Lock()
	w.lookahead = newLookahead(w.Count, w.Ahead)
	w.roomy = make(chan struct{}, 1)
	w.mu.Unlock()

	defer w.goroutines.Wait()
	defer w.giveBack()
	for w.waitForRoom(ctx) {
		jobs, err := w.Fetch(ctx, w.room)
		w.add(ctx, jobs)
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// Recall takes back the jobs that wait for a worker and for which pick is true.
// It returns them in order; they are neither started nor given to Return. pick
// must not call methods of w. Any goroutine may call Recall at any time.
func (w *Workers[J]) Recall(pick func(J) bool) []J {
	w.mu.Lock()
	defer w.mu.Unlock()
	var recalled []J
	w.ready = slices.DeleteFunc(w.ready, func(job J) bool {
		picked := pick(job)
		if picked {
			recalled = append(recalled, job)
		}
		return picked
	})
	w.signal()
	return recalled
}

// Limit sets a new value for Ahead while Work runs. The fetched jobs stay.
func (w *Workers[J]) Limit(ahead int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookahead.most = max(ahead, 0)
	w.lookahead.ahead = min(w.lookahead.ahead, w.lookahead.most)
}
