package history

import (
	"cmp"
	"slices"
)

// checkGroups looks, in each group, for a message that was handed out while an
// earlier one was in the queue and not with the same reader.
func (c *checker) checkGroups() {
	type name struct{ queue, group string }
	groups := map[name][]*message{}
	var names []name
	for _, m := range c.messages {
		if m.sent == nil || m.sent.Group == "" || m.id() == 0 {
			continue
		}
		n := name{m.queue, m.sent.Group}
		if groups[n] == nil {
			names = append(names, n)
		}
		groups[n] = append(groups[n], m)
	}
	for _, n := range names {
		all := groups[n]
		slices.SortFunc(all, func(a, b *message) int { return cmp.Compare(a.id(), b.id()) })
		c.checkGroup(all)
	}
}

// checkGroup takes the messages of a group in their order.
func (c *checker) checkGroup(all []*message) {
	// Of the messages so far, the one that was in the queue for the longest, and
	// until when at least.
	var waiting *message
	until := int64(0)
	for i, m := range all {
		for _, d := range m.deliveries {
			if d.How != ByGroup || c.void(d) {
				continue
			}
			c.judged(GroupOrder)
			for j := i - 1; j >= 0; j-- { // those of the same read come first
				with := together(d, all[j])
				if with == nil {
					break
				}
				if with.Place > d.Place {
					c.broken(GroupOrder, m, "one read returned it before an earlier one", with, d)
				}
			}
			if waiting != nil && until > d.End && waiting.sent.ended() <= d.Begin && together(d, waiting) == nil {
				c.broken(GroupOrder, m, "an earlier one was not settled: "+waiting.key, append(waiting.settles, waiting.sent, d)...)
			}
		}
		if left := leaves(m); m.sent.Outcome == OK && left > until {
			waiting, until = m, left
		}
	}
}

// together returns the delivery of a message that came with the same read as d.
func together(d *Event, m *message) *Event {
	for _, other := range m.deliveries {
		if other.Proc == d.Proc && other.Read == d.Read {
			return other
		}
	}
	return nil
}

// leaves is the first time at which a message may have left the queue.
func leaves(m *message) int64 {
	first := never
	for _, s := range m.settles {
		if s.maybe() {
			first = min(first, s.Begin)
		}
	}
	return first
}
