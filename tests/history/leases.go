package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// checkLeases compares the leases of a message by the server's clock: it is
// exact, also when the clocks of the clients are wrong.
func (c *checker) checkLeases(m *message) {
	for i := 1; i < len(m.deliveries); i++ {
		before, after := m.deliveries[i-1], m.deliveries[i]
		if c.void(before) || c.void(after) {
			continue
		}
		c.judged(TwoLeases)
		until := held(before, m)
		switch {
		case after.Lease.Equal(before.Lease):
			c.broken(TwoLeases, m, "one receipt went to two", before, after)
		case after.Reads < before.Reads, after.Reads == before.Reads && counted(before, m):
			c.broken(TwoLeases, m, "its reads did not rise", before, after)
		case after.Lease.Before(until):
			c.broken(TwoLeases, m, fmt.Sprintf("the second lease began %v before the end of the first", until.Sub(after.Lease)), before, after)
		}
	}
}

// later compares the receipts of two events of one message. A consumer's lease may
// have begun earlier than its history says, by the spread. Within that time the reads
// tell more; if they are the same, the first was given back uncounted before the second.
func later(a, b *Event) int {
	switch apart := a.Lease.Compare(b.Lease); {
	case apart == 0 || a.Lease.Sub(b.Lease).Abs() > max(a.Spread, b.Spread):
		return cmp.Or(apart, cmp.Compare(a.Reads, b.Reads))
	default:
		return cmp.Or(cmp.Compare(a.Reads, b.Reads), cmp.Compare(a.End, b.End))
	}
}

// counted reports whether a delivery counts for certain. A consumer gives a message
// back uncounted when its failure is not the message's; it may die before it says so.
func counted(delivery *Event, m *message) bool {
	if delivery.How != ByConsume && delivery.How != ByTx {
		return true
	}
	return slices.ContainsFunc(of(delivery, m.extends), func(e *Event) bool {
		return e.Op == Retry && e.Outcome == OK && e.How != Uncounted
	})
}

// held is until when at least a delivery had its message to itself, unless it
// settled it: until its VT ended, as the holder itself changed it.
func held(delivery *Event, m *message) time.Time {
	until := delivery.Until.Add(-delivery.Spread) // a heartbeat drops the spread
	earliest := func(vt time.Duration) {          // it changed at an unknown time within the lease
		if at := delivery.Lease.Add(vt - delivery.Spread); at.Before(until) {
			until = at
		}
	}
	for _, e := range of(delivery, m.extends) {
		switch {
		case e.Op == Extend && e.Outcome == OK:
			until = e.Until
		case e.maybe():
			earliest(e.VT)
		}
	}
	for _, e := range of(delivery, m.handled) {
		if e.Outcome == Failed && len(of(delivery, m.extends)) == 0 {
			earliest(0) // how it was given back was not told
		}
	}
	return until
}

// Slack is the time that a handler needs, beside the pauses of its process, to be
// told that its lease is lost.
const Slack = 100 * time.Millisecond

// checkHandlers looks for two that worked on a message at once, the first one
// without having been told. A consumer extends leases unseen, so this goes by the
// clock that the processes share.
func (c *checker) checkHandlers(m *message) {
	for i, first := range m.deliveries {
		if first.How != ByConsume && first.How != ByTx || c.void(first) {
			continue
		}
		for _, handled := range of(first, m.handled) {
			if c.mayBeLost(handled) {
				continue
			}
			until := handled.End
			if handled.Lost != 0 {
				until = min(until, handled.Lost)
			}
			for _, second := range m.deliveries[i+1:] {
				c.judged(TwoLeases)
				overlap := time.Duration(until - second.End)
				if overlap > Slack && overlap > Slack+c.paused(first.Proc, second.End-int64(first.VT), until) && !c.void(second) {
					c.broken(TwoLeases, m, fmt.Sprintf("its first handler worked for %v beside the second and was not told", overlap), first, second, handled)
				}
			}
		}
	}
}

// paused is how long a process did not run in a time.
func (c *checker) paused(proc string, from, to int64) time.Duration {
	var total int64
	for _, p := range c.pauses[proc] {
		total += max(0, min(p.End, to)-max(p.Begin, from))
	}
	return time.Duration(total)
}
