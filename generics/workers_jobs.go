package generics

import (
	"context"
	"slices"
)

// A job is ready, then running, then ended, then finishing. The goroutine that
// makes room for the next job starts it: there is no dispatcher.

// waitForRoom returns true when it is time to fetch, false when ctx has ended.
func (w *Workers[J]) waitForRoom(ctx context.Context) bool {
	for ctx.Err() == nil {
		w.mu.Lock()
		w.lookahead.adapt()
		due := w.due()
		w.mu.Unlock()
		if due {
			return true
		}
		select {
		case <-w.roomy:
		case <-ctx.Done():
		}
	}
	return false
}

func (w *Workers[J]) room() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.free()
}

// free returns how many jobs may be fetched now. The caller holds mu.
func (w *Workers[J]) free() int {
	notRun := len(w.ready) + w.lookahead.running
	notFinished := notRun + len(w.ended) + w.finishing
	count, most := w.lookahead.workers, w.lookahead.most
	return max(0, min(count+w.lookahead.ahead-notRun, 2*(count+most)-notFinished))
}

// due reports whether it is time to fetch. Without a look-ahead, that is as soon
// as a worker is free. With one, it is when half of it is free: fetching overlaps
// with working, and does not bring a few jobs at a time. The caller holds mu.
func (w *Workers[J]) due() bool { return w.free() >= max(1, w.lookahead.ahead/2) }

// signal wakes Work when it is time to fetch. The caller holds mu.
func (w *Workers[J]) signal() {
	if w.due() {
		select {
		case w.roomy <- struct{}{}:
		default: // a signal waits there already
		}
	}
}

func (w *Workers[J]) add(ctx context.Context, jobs []J) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ready = append(w.ready, jobs...)
	w.start(ctx)
}

// start starts a goroutine for each job that next returns. The caller holds mu.
func (w *Workers[J]) start(ctx context.Context) {
	for {
		job, ok := w.next(ctx)
		if !ok {
			return
		}
		w.goroutines.Add(1)
		go w.work(ctx, job)
	}
}

// next returns the oldest ready job, unless all workers are busy or ctx has
// ended. It counts the job as started. The caller holds mu and runs the job.
func (w *Workers[J]) next(ctx context.Context) (job J, ok bool) {
	if len(w.ready) == 0 || w.lookahead.running == w.lookahead.workers || ctx.Err() != nil {
		return job, false
	}
	job = w.ready[0]
	clear(w.ready[:1]) // the slice must not keep the job alive
	w.ready = w.ready[1:]
	w.lookahead.start()
	return job, true
}

// work runs jobs as long as there are any.
func (w *Workers[J]) work(ctx context.Context, job J) {
	defer w.goroutines.Done()
	returned := false
	defer func() {
		if failure := recover(); failure != nil {
			panic(failure) // it ends the program before the job counts as ended
		}
		if !returned { // after Goexit another goroutine must go on
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ran(job)
			w.start(ctx)
		}
	}()
	for ok := true; ok; {
		returned = false
		w.Run(job)
		returned = true
		w.mu.Lock()
		w.ran(job)
		job, ok = w.next(ctx)
		w.mu.Unlock()
	}
}

// ran counts a job as ended and hands it to finish. The caller holds mu.
func (w *Workers[J]) ran(job J) {
	w.lookahead.end()
	w.ended = append(w.ended, job)
	if !w.finishes {
		w.finishes = true
		w.goroutines.Add(1)
		go w.finish()
	}
	w.signal()
}

// finish gives the ended jobs to Finish, and starts itself again afterwards. It
// stops when it finds none.
func (w *Workers[J]) finish() {
	defer w.goroutines.Done()
	w.mu.Lock()
	jobs := slices.Clone(w.ended)
	clear(w.ended)
	w.ended, w.finishing = w.ended[:0], len(jobs)
	w.finishes = len(jobs) > 0
	w.mu.Unlock()
	if len(jobs) == 0 {
		return
	}
	defer func() { // also after Goexit
		w.mu.Lock()
		w.finishing = 0
		w.signal()
		w.mu.Unlock()
		w.goroutines.Add(1)
		go w.finish()
	}()
	w.Finish(jobs)
}

// giveBack gives the jobs that are still ready to Return.
func (w *Workers[J]) giveBack() {
	w.mu.Lock()
	unstarted := w.ready
	w.ready = nil
	w.mu.Unlock()
	if len(unstarted) > 0 {
		w.Return(unstarted)
	}
}
