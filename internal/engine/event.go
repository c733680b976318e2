package engine

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/internal/guard"
)

// Event is an event that package queue hands to observers; see queue.Event.
type Event struct {
	Kind    string
	ID      int64
	Count   int
	Reads   int
	Wait    time.Duration
	Took    time.Duration
	RetryIn time.Duration
	Reason  string
	Err     error
}

// The kinds of events; see queue.EventKind.
const (
	EventDelivered    = "delivered"
	EventSettled      = "settled"
	EventRetried      = "retried"
	EventDeadLettered = "dead-lettered"
	EventDiscarded    = "discarded"
	EventLeaseLost    = "lease lost"
	EventReturned     = "returned"
	EventFetchFailed  = "fetch failed"
	EventOutage       = "outage"
	EventRecovered    = "recovered"
	EventPolling      = "polling"
	EventListening    = "listening"
	EventPoolShort    = "pool short"
)

// outlived calls an observer so that the engine goes on after runtime.Goexit in it.
// Workers, the settler and the writer of dead letters do so by themselves: their
// events come one for each message, and a goroutine for each would be expensive.
func outlived(observe func(context.Context, Event)) func(context.Context, Event) {
	return func(ctx context.Context, e Event) {
		switch e.Kind {
		case EventDelivered, EventSettled, EventRetried, EventDeadLettered, EventDiscarded, EventLeaseLost:
			observe(ctx, e)
		default:
			_ = guard.Apart(func() error { // package queue reports a panic
				observe(ctx, e)
				return nil
			})
		}
	}
}
