package queue

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// A lease may end between two looks of the consumer, while the process stands
// still.
func TestAHandlerIsNotGivenWhatIsLostAlready(t *testing.T) {
	var given parcel
	c := &consumer{handle: handle{observer: Log(slog.New(slog.DiscardHandler))}, handlers: t.Context()}
	c.work = func(_ context.Context, p parcel) { given = append(given, p...) }
	over, held := &job{c: c, until: time.Now()}, &job{c: c, until: time.Now().Add(time.Hour)}
	c.held.add(parcel{over, held})
	c.deliver(parcel{over, held})
	if len(given) != 1 || given[0] != held {
		t.Errorf("the handler was given %d message(s), not the one that is held", len(given))
	}
	if !errors.Is(c.held.whyLost(over), ErrLeaseLost) || c.held.whyLost(held) != nil {
		t.Errorf("lost: %v and %v", c.held.whyLost(over), c.held.whyLost(held))
	}
}
