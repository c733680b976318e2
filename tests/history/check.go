package history

import (
	"errors"
	"slices"
	"time"
)

// ErrNoCensus means that a history ends before the census. Without a census lost messages
// cannot be found.
var ErrNoCensus = errors.New("the history has no census at its end")

// message is all that happened to one message, in the order of the file.
type message struct {
	queue, key string
	sent       *Event // the send, if there is one
	deliveries []*Event
	handled    []*Event
	settles    []*Event
	extends    []*Event // Extend and Retry
	rows       []*Event // of the census
}

// id is 0 for a message that nobody got an id of.
func (m *message) id() int64 {
	switch {
	case len(m.deliveries) > 0:
		return m.deliveries[0].ID
	case len(m.rows) > 0:
		return m.rows[0].ID
	case m.sent != nil && m.sent.Outcome == OK:
		return m.sent.idOf(m.key)
	}
	return 0
}

// idOf is the id that a send gave the message of a key.
func (e *Event) idOf(key string) int64 {
	if i := slices.Index(e.Keys, key); i >= 0 && i < len(e.IDs) {
		return e.IDs[i]
	}
	return 0
}

// at returns the rows of the census at a place.
func (m *message) at(place string) (rows []*Event) {
	for _, row := range m.rows {
		if row.How == place {
			rows = append(rows, row)
		}
	}
	return rows
}

// there is the row of the message itself at the end; nil if it is gone.
func (m *message) there() *Event {
	for _, row := range m.rows {
		if row.How == InQueue || row.How == InArchive || row.How == InDead {
			return row
		}
	}
	return nil
}

// checker holds a history by message. A key names a message better than its id:
// after a failover that lost something, ids may be given again.
type checker struct {
	messages []*message
	byKey    map[string]*message
	pauses   map[string][]*Event // by process
	losses   []*Event
	end      *Event
	report   Report
}

// Check judges a history. The error is ErrNoCensus.
func Check(events []*Event) (Report, error) {
	c := &checker{byKey: map[string]*message{}, pauses: map[string][]*Event{}, report: Report{Judged: map[Rule]int{}}}
	for _, e := range events {
		switch e.Op {
		case Loss:
			c.losses = append(c.losses, e)
			c.report.LossTime = max(c.report.LossTime, e.VT)
		case Pause:
			c.pauses[e.Proc] = append(c.pauses[e.Proc], e)
		case End:
			c.end = e
		}
	}
	if c.end == nil {
		return c.report, ErrNoCensus
	}
	for _, e := range events {
		c.file(e)
	}
	for _, m := range c.messages {
		slices.SortStableFunc(m.deliveries, later)
		c.checkSend(m)
		c.checkOrigin(m)
		c.checkLeases(m)
		c.checkHandlers(m)
		c.checkReceipts(m)
		c.checkEnd(m)
		c.checkDeaths(m)
		c.checkEffects(m)
	}
	c.checkIDs()
	c.checkGroups()
	c.report.sorted()
	return c.report, nil
}

// file puts an event to its message.
func (c *checker) file(e *Event) {
	if e.Outcome == OK && c.mayBeLost(e) {
		lost := *e
		lost.Outcome = Unknown
		e = &lost
		if e.Op == Send {
			c.report.AtRisk += len(e.IDs)
		}
	}
	switch e.Op {
	case Send:
		for _, key := range e.Keys {
			c.message(e.Queue, key).sent = e
		}
	case Deliver:
		m := c.message(e.Queue, e.Key)
		m.deliveries = append(m.deliveries, e)
	case Handled:
		m := c.message(e.Queue, e.Key)
		m.handled = append(m.handled, e)
	case Settle:
		m := c.message(e.Queue, e.Key)
		m.settles = append(m.settles, e)
	case Extend, Retry:
		m := c.message(e.Queue, e.Key)
		m.extends = append(m.extends, e)
	case Census:
		m := c.message(e.Queue, e.Key)
		m.rows = append(m.rows, e)
	}
}

func (c *checker) message(queue, key string) *message {
	m := c.byKey[key]
	if m == nil {
		m = &message{queue: queue, key: key}
		c.byKey[key] = m
		c.messages = append(c.messages, m)
	}
	return m
}

// mayBeLost tells whether the acknowledgement of an event fell into a time of loss, or
// depends on a receipt that did.
func (c *checker) mayBeLost(e *Event) bool {
	for _, loss := range c.losses {
		if e.ended() >= loss.Begin && e.Begin <= loss.ended() || c.leasedIn(loss, e.Lease) {
			return true
		}
	}
	return false
}

func (c *checker) leasedIn(loss *Event, lease time.Time) bool {
	return !lease.IsZero() && !lease.Before(loss.Lease) && !lease.After(loss.Until)
}

// void tells whether the lease of a delivery may have been lost with the server
// that gave it.
func (c *checker) void(delivery *Event) bool {
	return slices.ContainsFunc(c.losses, func(loss *Event) bool { return c.leasedIn(loss, delivery.Lease) })
}

// broken adds a violation.
func (c *checker) broken(rule Rule, m *message, why string, events ...*Event) {
	c.report.Violations = append(c.report.Violations, Violation{
		Rule: rule, Queue: m.queue, ID: m.id(), Key: m.key, Why: why, Events: events,
	})
}

// judged counts the events that a rule was applied to.
func (c *checker) judged(rule Rule) { c.report.Judged[rule]++ }

// of returns the events that carry the receipt of a delivery.
func of(delivery *Event, events []*Event) (same []*Event) {
	for _, e := range events {
		if e.Reads == delivery.Reads && e.Lease.Equal(delivery.Lease) {
			same = append(same, e)
		}
	}
	return same
}
