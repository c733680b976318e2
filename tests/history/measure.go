package history

import (
	"slices"
	"time"
)

// Measures are figures of a history, for a table.
type Measures struct {
	Operations int           // sends, deliveries, settlings, changes of a VT
	Messages   int           // acknowledged sends
	Faults     int           // that were injected
	Stall      time.Duration // the longest time without an acknowledged settling while messages were sent
	Recovery   time.Duration // from the mending of a fault to the next send and settling, at most
}

// Measure counts and times the events of a history.
func Measure(events []*Event) Measures {
	var m Measures
	var sends, settles, faults []*Event
	for _, e := range events {
		switch e.Op {
		case Send, Deliver, Settle, Extend, Retry:
			m.Operations++
		case Fault:
			faults = append(faults, e)
		}
		if e.Outcome == OK && e.Op == Send {
			sends = append(sends, e)
			m.Messages += len(e.IDs)
		}
		if e.Outcome == OK && e.Op == Settle {
			settles = append(settles, e)
		}
	}
	m.Faults = len(faults)
	byEnd := func(a, b *Event) int { return int(a.End - b.End) }
	slices.SortFunc(sends, byEnd)
	slices.SortFunc(settles, byEnd)
	if len(sends) > 0 {
		last := sends[len(sends)-1].End
		for i := 1; i < len(settles) && settles[i-1].End < last; i++ {
			m.Stall = max(m.Stall, time.Duration(min(settles[i].End, last)-settles[i-1].End))
		}
	}
	for _, f := range faults {
		for _, done := range [][]*Event{sends, settles} {
			m.Recovery = max(m.Recovery, next(done, f.End))
		}
	}
	return m
}

// next is how long after a time the first operation ended that began after it; 0
// if there is none. The operations are in the order of their ends.
func next(done []*Event, at int64) time.Duration {
	from, _ := slices.BinarySearchFunc(done, at, func(e *Event, at int64) int { return int(e.End - at) })
	for _, e := range done[from:] {
		if e.Begin >= at {
			return time.Duration(e.End - at)
		}
	}
	return 0
}
