package generics

import "time"

// soon is how long a job may wait for a worker, about.
const soon = 50 * time.Millisecond

// pace measures how fast jobs are done and decides the look-ahead: how many may
// be fetched before a worker is free for them.
//
// It counts the time that workers spend on jobs, not the time that passes, so
// that neither an empty source nor a slow one looks like long jobs.
type pace struct {
	workers, most int
	ahead         int // the look-ahead, from 0 to most

	running int           // workers at work
	ended   int           // jobs done since the look-ahead was last decided
	busy    time.Duration // what all workers together spent since then
	counted time.Time     // until when busy is counted
}

func newPace(workers, most int) pace {
	return pace{workers: max(workers, 1), most: max(most, 0)}
}

func (p *pace) start() {
	p.count()
	p.running++
}

func (p *pace) end() {
	p.count()
	p.running--
	p.ended++
}

func (p *pace) count() {
	now := time.Now()
	p.busy += time.Duration(p.running) * now.Sub(p.counted)
	p.counted = now
}

// adapt doubles the look-ahead, to at least the number of workers, when more than
// fits into it and the workers was done soon: more, so that long jobs that merely
// end together do not look short. When jobs take longer, the look-ahead falls to
// what was done soon: to 0 when they are long.
func (p *pace) adapt() {
	p.count()
	switch took := p.busy / time.Duration(p.workers); {
	case took > soon:
		p.ahead = min(p.ahead, int(time.Duration(p.ended)*soon/took))
	case p.ended > p.workers+p.ahead:
		p.ahead = min(max(2*p.ahead, p.workers), p.most)
	default:
		return // too early to tell
	}
	p.ended, p.busy = 0, 0
}
