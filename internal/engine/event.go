package engine

import "time"

// Event is what package queue hands to observers; see queue.Event.
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
)
