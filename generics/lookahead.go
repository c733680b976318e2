package generics

import "time"

// maxWait is about how long a fetched job may wait for a worker.
const maxWait = 50 * time.Millisecond

// lookahead decides how many jobs may be fetched before a worker is free for
// them. For this it measures how fast the workers do jobs.
//
// It adds up the time that workers spend on jobs instead of the time that
// passes. Otherwise an empty or slow source would look like long jobs.
type lookahead struct {
	workers, most int
	ahead         int // the number decided, from 0 to most

	running int           // workers that run a job
	ended   int           // jobs that ended since the last decision
	busy    time.Duration // the time that all workers together spent since then
	counted time.Time     // busy is counted up to here
}

func newLookahead(workers, most int) lookahead {
	return lookahead{workers: max(workers, 1), most: max(most, 0)}
}

// start counts a job that a worker begins.
func (l *lookahead) start() {
	l.count()
	l.running++
}

// end counts a job that a worker has done.
func (l *lookahead) end() {
	l.count()
	l.running--
	l.ended++
}

func (l *lookahead) count() {
	now := time.Now()
	l.busy += time.Duration(l.running) * now.Sub(l.counted)
	l.counted = now
}

// adapt decides on a new look-ahead. It doubles, to at least the number of
// workers, when more jobs than it and the workers hold have ended within
// maxWait. With fewer jobs, long ones that happen to end together would look
// short. When jobs take longer, the look-ahead falls to the number that ended
// within maxWait, which is 0 for long jobs.
func (l *lookahead) adapt() {
	l.count()
	switch took := l.busy / time.Duration(l.workers); {
	case took > maxWait:
		l.ahead = min(l.ahead, int(time.Duration(l.ended)*maxWait/took))
	case l.ended > l.workers+l.ahead:
		l.ahead = min(max(2*l.ahead, l.workers), l.most)
	default:
		return // too early to decide
	}
	l.ended, l.busy = 0, 0
}
