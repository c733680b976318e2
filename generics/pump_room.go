package generics

import "context"

// awaitRoom returns true when it is time to fetch, and false when ctx has ended.
func (p *Pump[J]) awaitRoom(ctx context.Context) bool {
	for ctx.Err() == nil {
		p.mu.Lock()
		p.pace.adapt()
		due := p.due()
		p.mu.Unlock()
		if due {
			return true
		}
		select {
		case <-p.roomy:
		case <-ctx.Done():
		}
	}
	return false
}

func (p *Pump[J]) room() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free()
}

// Limit is a new value for Ahead, while Work runs: what was fetched stays.
func (p *Pump[J]) Limit(ahead int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace.most = max(ahead, 0)
	p.pace.ahead = min(p.pace.ahead, p.pace.most)
}

// The methods below are for callers that hold mu.

// free returns how many jobs may be fetched now.
func (p *Pump[J]) free() int {
	notRun := len(p.ready) + p.pace.running
	notFinished := notRun + len(p.ended) + p.finishing
	workers, most := p.pace.workers, p.pace.most
	return max(0, min(workers+p.pace.ahead-notRun, 2*(workers+most)-notFinished))
}

// due tells whether it is time to fetch. With a look-ahead that is when half of
// it is free, so that fetching overlaps with working and does not come in
// crumbs; without, as soon as a worker is.
func (p *Pump[J]) due() bool { return p.free() >= max(1, p.pace.ahead/2) }

// signal tells Work when it is time to fetch.
func (p *Pump[J]) signal() {
	if p.due() {
		select {
		case p.roomy <- struct{}{}:
		default: // it was told already
		}
	}
}
