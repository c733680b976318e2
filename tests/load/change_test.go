package load

import (
	"errors"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/tests/history"
)

// change makes a sound history unsound.
type change struct {
	breaks history.Rule
	// at tells the events that can be changed; the first one is.
	at func(*history.Event) bool
	// to returns what is there instead of the event.
	to func(history.Event) []history.Event
	// without tells what else must go for the change to show.
	without func(event, other *history.Event) bool
}

// in returns a changed copy of a history.
func (c change) in(events []*history.Event) ([]*history.Event, error) {
	i := slices.IndexFunc(events, c.at)
	if i < 0 {
		return nil, errors.New("there is nothing to change")
	}
	var changed []*history.Event
	for j, e := range events {
		switch {
		case j == i:
			for _, other := range c.to(*e) {
				changed = append(changed, &other)
			}
		case c.without == nil || !c.without(events[i], e):
			changed = append(changed, e)
		}
	}
	return changed, nil
}

func settled(e *history.Event) bool { return e.Op == history.Settle && e.Outcome == history.OK }

// ofTheSame tells whether an event is about the same message.
func ofTheSame(event, other *history.Event) bool { return event.Key == other.Key }

var changes = map[string]change{
	"no trace of what became of a message": {
		breaks:  history.LostSend,
		at:      func(e *history.Event) bool { return settled(e) && e.Queue == Plain },
		to:      func(history.Event) []history.Event { return nil },
		without: ofTheSame,
	},
	"a send that failed": {
		breaks: history.NeverSent,
		at:     func(e *history.Event) bool { return e.Op == history.Send && e.Outcome == history.OK },
		to: func(e history.Event) []history.Event {
			e.Outcome = history.Failed
			return []history.Event{e}
		},
	},
	"a delivery that came again a moment later": {
		breaks: history.TwoLeases,
		at:     func(e *history.Event) bool { return e.Op == history.Deliver && e.Queue == Hand },
		to: func(e history.Event) []history.Event {
			again := e
			again.Reads++
			again.Lease, again.Until = e.Lease.Add(time.Millisecond), e.Until.Add(time.Millisecond)
			return []history.Event{e, again}
		},
	},
	"a settling that came again": {
		breaks: history.StaleReceipt,
		at:     settled,
		to:     func(e history.Event) []history.Event { return []history.Event{e, e} },
	},
	"a settling by the receipt before": {
		breaks: history.StaleReceipt,
		at:     func(e *history.Event) bool { return settled(e) && e.Reads > 1 && e.Queue != Fifo },
		to: func(e history.Event) []history.Event {
			e.Reads--
			e.Lease = e.Lease.Add(-time.Second)
			return []history.Event{e}
		},
	},
	"a deleted message that is still there": {
		breaks: history.SettledAgain,
		at:     func(e *history.Event) bool { return settled(e) && e.How == history.Deleted },
		to: func(e history.Event) []history.Event {
			row := e
			row.Op, row.How = history.Census, history.InQueue
			return []history.Event{e, row}
		},
	},
	"a message of a group that was settled at the very end": {
		breaks: history.GroupOrder,
		at:     func(e *history.Event) bool { return settled(e) && e.How == history.DeletedByID },
		to: func(e history.Event) []history.Event {
			e.Begin += int64(time.Hour)
			e.End += int64(time.Hour)
			return []history.Event{e}
		},
	},
	"a dead letter that died a delivery too early": {
		breaks: history.WrongDeaths,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.InDead },
		to: func(e history.Event) []history.Event {
			e.Reads--
			return []history.Event{e}
		},
	},
	"an effect less": {
		breaks: history.Effects,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.AsEffect },
		to:     func(history.Event) []history.Event { return nil },
	},
	"an effect more": {
		breaks: history.Effects,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.AsEffect },
		to:     func(e history.Event) []history.Event { return []history.Event{e, e} },
	},
	"an order less": {
		breaks: history.Effects,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.AsOrder },
		to:     func(history.Event) []history.Event { return nil },
	},
	"a message that nobody read": {
		breaks: history.Stuck,
		at:     func(e *history.Event) bool { return e.Op == history.Deliver && e.Queue == Plain },
		to: func(e history.Event) []history.Event {
			e.Op, e.How = history.Census, history.InQueue
			return []history.Event{e}
		},
		without: ofTheSame,
	},
}
