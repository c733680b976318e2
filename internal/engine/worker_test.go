package engine

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A lease may end between two checks, while the process stands still.
func TestAHandlerDoesNotGetAMessageWhoseLeaseIsOver(t *testing.T) {
	t.Parallel()
	s := &shared{
		handlers: t.Context(),
		observe:  func(context.Context, Event) {},
		leases:   leases{vt: time.Hour},
	}
	var given []*Delivery
	w := worker{shared: s, handle: func(_ context.Context, deliveries []*Delivery) { given = append(given, deliveries...) }}
	over, held := &Delivery{}, &Delivery{}
	s.leases.add(batch{over}, time.Now().Add(-time.Hour))
	s.leases.add(batch{held}, time.Now())
	w.run(batch{over, held})
	if len(given) != 1 || given[0] != held {
		t.Errorf("the handler got %d message(s), not the one whose lease holds", len(given))
	}
	if !errors.Is(s.leases.whyLost(over), ErrLeaseLost) || s.leases.whyLost(held) != nil {
		t.Errorf("lost: %v and %v", s.leases.whyLost(over), s.leases.whyLost(held))
	}
}
