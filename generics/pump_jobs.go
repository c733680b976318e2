package generics

import "context"

// A job is ready, then running, then finishing. Whoever makes room for the next
// job starts it: there is no dispatcher.

func (p *Pump[J]) add(ctx context.Context, jobs []J) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, jobs...)
	p.start(ctx)
}

// start gives the oldest jobs to the workers that are free, unless ctx has
// ended. Its caller holds mu.
func (p *Pump[J]) start(ctx context.Context) {
	for len(p.ready) > 0 && p.pace.running < p.pace.workers && ctx.Err() == nil {
		job := p.ready[0]
		clear(p.ready[:1]) // the job shall not be kept alive from here
		p.ready = p.ready[1:]
		p.pace.start()
		p.started.Add(1)
		go p.work(ctx, job)
	}
}

func (p *Pump[J]) work(ctx context.Context, job J) {
	defer p.ran(ctx, job) // deferred, so that Goexit does not lose the worker
	p.Run(job)
}

func (p *Pump[J]) ran(ctx context.Context, job J) {
	if failure := recover(); failure != nil {
		panic(failure) // the program ends here, and nothing goes on meanwhile
	}
	p.mu.Lock()
	p.pace.end()
	p.finishing++
	p.start(ctx)
	p.signal()
	p.mu.Unlock()

	defer p.finished()
	p.Finish(job)
}

func (p *Pump[J]) finished() {
	p.mu.Lock()
	p.finishing--
	p.signal()
	p.mu.Unlock()
	p.started.Done()
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
