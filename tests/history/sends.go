package history

import "fmt"

// mayBeSettled tells whether the message may have left the queue for good: some
// settling was accepted, or its answer is unknown.
func (m *message) mayBeSettled() bool {
	for _, settle := range m.settles {
		if settle.maybe() {
			return true
		}
	}
	for _, handled := range m.handled {
		if handled.maybe() { // its handler goes on to settle it
			return true
		}
	}
	return false
}

// checkSend looks for messages that were sent and are nowhere.
func (c *checker) checkSend(m *message) {
	gone := m.there() == nil && !m.mayBeSettled()
	ordered := m.at(AsOrder)
	switch {
	case m.sent == nil:
	case m.sent.Outcome == OK:
		c.judged(LostSend)
		if gone {
			c.broken(LostSend, m, "nobody settled it, and it is in no queue and no archive", append(m.deliveries, m.sent)...)
		}
	case gone && len(ordered) > 0:
		c.broken(LostSend, m, "what was written in the transaction of its send is there, and it is not", m.sent, ordered[0])
	case gone && len(m.sent.IDs) > 0: // acknowledged in a time of loss
		c.report.Lost++
	}
}

// checkOrigin looks for messages that no client sent, and for one message under two ids.
func (c *checker) checkOrigin(m *message) {
	seen := m.deliveries
	for _, row := range m.rows {
		if row.How != AsOrder {
			seen = append(seen[:len(seen):len(seen)], row)
		}
	}
	for _, e := range seen {
		c.judged(NeverSent)
		switch {
		case m.sent == nil:
			c.broken(NeverSent, m, "there is no send of it", e)
		case m.sent.Outcome == Failed:
			c.broken(NeverSent, m, "its send failed", m.sent, e)
		case e.Queue != m.sent.Queue:
			c.broken(NeverSent, m, "it was sent to another queue", m.sent, e)
		case m.sent.Outcome == OK && e.ID != m.sent.idOf(m.key):
			c.broken(NeverSent, m, fmt.Sprintf("it was sent as message %d", m.sent.idOf(m.key)), m.sent, e)
		case e.ID != seen[0].ID && !c.void(e) && !c.void(seen[0]):
			c.broken(NeverSent, m, fmt.Sprintf("it is message %d as well", seen[0].ID), m.sent, seen[0], e)
		default:
			continue
		}
		return
	}
}

// checkIDs looks for two messages with one id.
func (c *checker) checkIDs() {
	type name struct {
		queue string
		id    int64
	}
	first := map[name]*message{}
	for _, m := range c.messages {
		if m.sent == nil || m.sent.Outcome != OK {
			continue
		}
		n := name{m.queue, m.sent.idOf(m.key)}
		if other := first[n]; other != nil {
			c.broken(NeverSent, m, "another message has the same id: "+other.key, other.sent, m.sent)
		}
		first[n] = m
	}
}

// checkEnd looks for messages that should not be there any more.
func (c *checker) checkEnd(m *message) {
	rows := m.at(InQueue)
	if c.end.Outcome == OK {
		c.judged(Stuck)
		if len(rows) > 0 {
			c.broken(Stuck, m, "the consumers had time to empty the queue", append(m.deliveries, rows[0])...)
		}
	}
	for _, settle := range m.settles {
		there := m.there()
		if settle.Outcome != OK {
			continue
		}
		c.judged(SettledAgain)
		wanted := map[string]string{Archived: InArchive, DeadLettered: InDead}[settle.How]
		switch {
		case wanted == "" && there != nil:
			c.broken(SettledAgain, m, "it was deleted and is still there", settle, there)
		case wanted != "" && there == nil:
			c.broken(LostSend, m, "it was put aside and is not there", settle)
		case wanted != "" && there.How != wanted:
			c.broken(SettledAgain, m, "it was put aside and is somewhere else", settle, there)
		}
	}
}
