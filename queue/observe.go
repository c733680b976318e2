package queue

import (
	"context"
	"log/slog"
	"time"
)

// Observer is told what happens to messages: for logs, traces and metrics. It is
// called by the goroutine that does the work, so it must be quick and safe for
// concurrent use.
type Observer func(ctx context.Context, e Event)

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	Kind  EventKind
	Queue string
	// ID is the message. Sent has the first of a batch.
	ID int64
	// Count is how many messages it concerns, of Sent; elsewhere 1, or 0 when it
	// concerns none.
	Count int
	// Reads counts the deliveries of the message so far, this one included.
	Reads int
	// Wait is the time from sending to delivery, of Delivered; a Delay and
	// earlier deliveries are part of it. Both ends are the server's clock.
	Wait time.Duration
	// Took is how long the handler worked, of all that ends a delivery.
	Took time.Duration
	// RetryIn is when the message comes back, of Retried.
	RetryIn time.Duration
	// Err is the handler's error, or why it happened.
	Err error
}

// EventKind says what happened.
type EventKind string

const (
	// Sent: messages were sent, outside of a transaction or in one that may
	// still roll back.
	Sent EventKind = "sent"
	// Delivered: a handler is about to get the message.
	Delivered EventKind = "delivered"
	// Settled: the work is done, the message deleted or archived.
	Settled EventKind = "settled"
	// Retried: the handler failed; the message comes back.
	Retried EventKind = "retried"
	// DeadLettered: the message went to the dead-letter queue, or to the
	// archive marked as failed.
	DeadLettered EventKind = "dead-lettered"
	// Discarded: the handler said Discard; the message went to the archive.
	Discarded EventKind = "discarded"
	// LeaseLost: somebody else may have the message; this delivery's result
	// was not recorded.
	LeaseLost EventKind = "lease lost"
	// Returned: the message was fetched and given back without a delivery.
	Returned EventKind = "returned"
	// Outage: the database does not answer as it should; told once, however
	// long it lasts. Work goes on when it is over.
	Outage EventKind = "outage"
	// Recovered: the outage is over.
	Recovered EventKind = "recovered"
	// Polling: wake-ups cannot be received, for now; new messages are found by
	// looking now and then.
	Polling EventKind = "polling"
	// Listening: wake-ups are received again.
	Listening EventKind = "listening"
)

// Observe returns the same queue, whose sends and consumers tell o. Without it
// consumers log to slog.Default() as [Log] does.
func (q *Queue[T]) Observe(o Observer) *Queue[T] {
	observed := *q
	observed.observer = o
	return &observed
}

// Log returns an observer that writes what an operator should know: outages,
// dead letters and lost leases as warnings, retries at level Info, and the rest
// at level Debug. It writes no bodies; errors of handlers it does.
func Log(logger *slog.Logger) Observer {
	return func(ctx context.Context, e Event) {
		level := slog.LevelDebug
		switch e.Kind {
		case Outage, DeadLettered, Discarded, LeaseLost, Polling:
			level = slog.LevelWarn
		case Retried, Recovered:
			level = slog.LevelInfo
		}
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{slog.String("queue", e.Queue)}
		if e.ID != 0 {
			attrs = append(attrs, slog.Int64("id", e.ID))
		}
		if e.Count > 1 {
			attrs = append(attrs, slog.Int("count", e.Count))
		}
		if e.Reads != 0 {
			attrs = append(attrs, slog.Int("reads", e.Reads))
		}
		for _, d := range []struct {
			name  string
			value time.Duration
		}{{"wait", e.Wait}, {"took", e.Took}, {"retry_in", e.RetryIn}} {
			if d.value != 0 {
				attrs = append(attrs, slog.Duration(d.name, d.value))
			}
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", e.Err.Error()))
		}
		logger.LogAttrs(ctx, level, "pgmq: "+string(e.Kind), attrs...)
	}
}

// tell hands an event to the observer, if there is one.
func (h handle) tell(ctx context.Context, e Event) {
	if h.observer != nil {
		e.Queue = h.name
		h.observer(ctx, e)
	}
}
