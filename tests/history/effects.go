package history

import "slices"

// checkEffects compares the writes of transactions with their sends and settlings.
func (c *checker) checkEffects(m *message) {
	c.checkOrder(m)
	effects := m.at(AsEffect)
	byTx := slices.ContainsFunc(m.deliveries, func(d *Event) bool { return d.How == ByTx })
	if !byTx && len(effects) == 0 {
		return
	}
	c.judged(Effects)
	there := m.there()
	exists := there != nil || m.sent != nil && m.sent.Outcome == OK || slices.ContainsFunc(m.deliveries, func(d *Event) bool { return !c.void(d) })
	switch {
	case len(effects) > 1:
		c.broken(Effects, m, "its effect happened more than once", effects...)
	case len(effects) == 1 && there != nil:
		c.broken(Effects, m, "its effect happened and it is still there", effects[0], there)
	case len(effects) == 0 && there == nil && exists:
		c.broken(Effects, m, "it is gone without its effect", append(m.settles, m.deliveries...)...)
	}
}

// checkOrder looks for a message without the row that was written with its send.
func (c *checker) checkOrder(m *message) {
	if m.sent == nil || m.sent.How != WithOrder {
		return
	}
	c.judged(Effects)
	if len(m.at(AsOrder)) > 0 {
		return
	}
	for _, d := range append(m.deliveries, m.rows...) {
		if !c.void(d) {
			c.broken(Effects, m, "it is there, and what was written in the transaction of its send is not", m.sent, d)
			return
		}
	}
}
