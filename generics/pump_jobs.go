package generics

import (
	"context"
	"slices"
)

// A job is ready, then running, then ended, then finishing. Whoever makes room
// for the next job starts it: there is no dispatcher.

func (p *Pump[J]) add(ctx context.Context, jobs []J) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, jobs...)
	p.start(ctx)
}

// start has workers begin with the oldest jobs. Its caller holds mu.
func (p *Pump[J]) start(ctx context.Context) {
	for {
		job, ok := p.next(ctx)
		if !ok {
			return
		}
		p.goroutines.Add(1)
		go p.work(ctx, job)
	}
}

// next is the oldest job that is ready, if there is a worker for it and ctx has
// not ended. Its caller holds mu and starts the job.
func (p *Pump[J]) next(ctx context.Context) (job J, ok bool) {
	if len(p.ready) == 0 || p.pace.running == p.pace.workers || ctx.Err() != nil {
		return job, false
	}
	job = p.ready[0]
	clear(p.ready[:1]) // it shall not be kept alive from here
	p.ready = p.ready[1:]
	p.pace.start()
	return job, true
}

// work runs jobs as long as there are any.
func (p *Pump[J]) work(ctx context.Context, job J) {
	defer p.goroutines.Done()
	returned := false
	defer func() {
		if failure := recover(); failure != nil {
			panic(failure) // the program ends here, and nothing goes on meanwhile
		}
		if !returned { // Goexit: somebody else must go on
			p.mu.Lock()
			defer p.mu.Unlock()
			p.ran(job)
			p.start(ctx)
		}
	}()
	for ok := true; ok; {
		returned = false
		p.Run(job)
		returned = true
		p.mu.Lock()
		p.ran(job)
		job, ok = p.next(ctx)
		p.mu.Unlock()
	}
}

// ran takes a job from its worker and has it finished. Its caller holds mu.
func (p *Pump[J]) ran(job J) {
	p.pace.end()
	p.ended = append(p.ended, job)
	if !p.finishes {
		p.finishes = true
		p.goroutines.Add(1)
		go p.finish()
	}
	p.signal()
}

// finish finishes what has ended. Its end starts the next.
func (p *Pump[J]) finish() {
	defer p.goroutines.Done()
	p.mu.Lock()
	jobs := slices.Clone(p.ended)
	clear(p.ended)
	p.ended, p.finishing = p.ended[:0], len(jobs)
	p.finishes = len(jobs) > 0
	p.mu.Unlock()
	if len(jobs) == 0 {
		return
	}
	defer func() { // also after Goexit
		p.mu.Lock()
		p.finishing = 0
		p.signal()
		p.mu.Unlock()
		p.goroutines.Add(1)
		go p.finish()
	}()
	p.Finish(jobs)
}

// giveBack returns what is still ready.
func (p *Pump[J]) giveBack() {
	p.mu.Lock()
	unstarted := p.ready
	p.ready = nil
	p.mu.Unlock()
	if len(unstarted) > 0 {
		p.Return(unstarted)
	}
}
