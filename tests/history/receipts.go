package history

// checkReceipts looks for changes made with a receipt that held no longer, and for
// deliveries of messages that were settled.
//
// A receipt is accepted only while it is that of the row, and the row of a settled
// message is gone. So no delivery can be newer than the receipt that settled its
// message, whenever the two happened.
func (c *checker) checkReceipts(m *message) {
	var settled *Event
	for _, s := range m.settles {
		if s.Outcome != OK {
			continue
		}
		if settled != nil {
			c.broken(StaleReceipt, m, "it was settled twice", settled, s)
		}
		settled = s
		c.judged(StaleReceipt)
		for _, d := range m.deliveries {
			switch {
			case c.void(d):
			case s.How == DeletedByID: // from any holder
				if d.Begin >= s.End {
					c.broken(SettledAgain, m, "it was deleted before", s, d)
				}
			case later(d, s) <= 0:
			case d.End <= s.Begin:
				c.broken(StaleReceipt, m, "another had read it before it was settled", d, s)
			default:
				c.broken(SettledAgain, m, "it was settled by an older receipt", s, d)
			}
		}
	}
	for _, e := range m.extends {
		if e.Outcome != OK {
			continue
		}
		c.judged(StaleReceipt)
		for _, d := range m.deliveries {
			if later(d, e) > 0 && d.End <= e.Begin && !c.void(d) {
				c.broken(StaleReceipt, m, "another had read it before its VT was changed", d, e)
			}
		}
	}
}
