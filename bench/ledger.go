package main

import (
	"fmt"
	"sync"
	"time"
)

// ledger records which messages were sent and received, so that a system which loses
// or repeats messages cannot look fast. It is safe for concurrent use.
type ledger struct {
	fill filler

	mu       sync.Mutex
	next     int64
	came     []uint8 // how often each message came, by number
	received int64   // different messages
	twice    int64
	latency  *timeline     // records latencies, unless nil
	watched  int64         // reached is closed when received is that many
	reached  chan struct{} // nil when nothing waits
}

func newLedger(fill filler) *ledger { return &ledger{fill: fill} }

// take returns the next n messages, due now.
func (l *ledger) take(n int) []body {
	first := l.reserve(n)
	due := time.Now().UnixNano()
	bodies := make([]body, n)
	for i := range bodies {
		seq := first + int64(i)
		bodies[i] = body{Seq: seq, Due: due, Fill: l.fill.of(seq)}
	}
	return bodies
}

// one returns the next message.
func (l *ledger) one(due time.Time) body {
	seq := l.reserve(1)
	return body{Seq: seq, Due: due.UnixNano(), Fill: l.fill.of(seq)}
}

func (l *ledger) reserve(n int) (first int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = l.next
	l.next += int64(n)
	return first
}

// handle is the handler of every system's consumer. It only records that the
// message came.
func (l *ledger) handle(b body) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if grow := int(b.Seq) + 1 - len(l.came); grow > 0 {
		l.came = append(l.came, make([]uint8, grow)...)
	}
	l.came[b.Seq]++
	if l.came[b.Seq] > 1 {
		l.twice++
		return
	}
	l.received++
	if l.latency != nil {
		l.latency.add(now, now.Sub(time.Unix(0, b.Due)))
	}
	if l.reached != nil && l.received >= l.watched {
		close(l.reached)
		l.reached = nil
	}
}

// all returns a channel that is closed when all messages reserved so far have come.
func (l *ledger) all() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	reached := make(chan struct{})
	if l.received >= l.next {
		close(reached)
		return reached
	}
	l.watched, l.reached = l.next, reached
	return reached
}

// count returns how many different messages came.
func (l *ledger) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.received
}

// sent returns how many messages were taken to be sent.
func (l *ledger) sent() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// record makes t receive the latencies from now on; nil stops that.
func (l *ledger) record(t *timeline) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latency = t
}

// check returns an error unless each message came exactly once. When the consumer
// was stopped before the end (not whole), it only checks that none came twice.
func (l *ledger) check(whole bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.twice > 0 {
		return fmt.Errorf("%d of %d messages came more than once", l.twice, l.received)
	}
	if whole && l.received != l.next {
		return fmt.Errorf("%d of %d messages never came", l.next-l.received, l.next)
	}
	return nil
}
