package history

import (
	"fmt"
	"time"
)

// checkDeaths compares the failures of a message with its end.
func (c *checker) checkDeaths(m *message) {
	most := 0
	for _, d := range m.deliveries {
		most = max(most, d.Max)
	}
	if most == 0 {
		return
	}
	c.judged(WrongDeaths)
	for _, d := range m.deliveries {
		if d.Reads > most {
			c.broken(WrongDeaths, m, fmt.Sprintf("it was delivered more than %d times", most), d)
		}
	}
	failed := map[int]*Event{}
	handled := false
	for _, h := range m.handled {
		switch {
		case h.Outcome != Failed:
			handled = true
		case !c.mayBeLost(h):
			failed[h.Reads] = h
		}
	}
	for _, e := range m.extends {
		if e.Op == Retry && e.Outcome == OK && e.How != Uncounted && e.Reads >= most {
			c.broken(WrongDeaths, m, fmt.Sprintf("it was given back after delivery %d of %d", e.Reads, most), e)
		}
	}
	for _, s := range m.settles {
		if s.How == DeadLettered && s.Outcome == OK && s.Reads < most {
			c.broken(WrongDeaths, m, fmt.Sprintf("it died after delivery %d of %d", s.Reads, most), s)
		}
	}
	dead := m.at(InDead)
	for _, row := range dead {
		if row.Reads < most {
			c.broken(WrongDeaths, m, fmt.Sprintf("it died after %d of %d deliveries", row.Reads, most), row)
		}
	}
	if len(dead) > 1 {
		c.broken(WrongDeaths, m, "it is dead twice", dead...)
	}
	if len(failed) >= most && !handled && len(dead) == 0 {
		c.broken(WrongDeaths, m, fmt.Sprintf("it failed %d times and is no dead letter", len(failed)), m.handled...)
	}
	c.checkCount(m)
}

// checkCount looks for reads that were counted and cannot have been. One that no
// handler saw had a process that died or was late, and its lease ran out.
func (c *checker) checkCount(m *message) {
	if m.sent == nil || c.mayBeLost(m.sent) {
		return
	}
	for i, d := range m.deliveries {
		missing, took := d.Reads-1, time.Duration(d.End-m.sent.Begin)
		var before []*Event
		if i > 0 {
			last := m.deliveries[i-1]
			missing, took = d.Reads-last.Reads-1, d.Lease.Sub(last.Lease)+max(d.Spread, last.Spread)
			before = []*Event{last}
		}
		if c.void(d) {
			return
		}
		if missing > 0 && took < time.Duration(missing)*d.VT*99/100 {
			c.broken(WrongDeaths, m, fmt.Sprintf("%d deliveries were counted within %v that nobody saw", missing, took), append(before, d)...)
		}
	}
}
