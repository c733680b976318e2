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
	// earlier deliveries are part of it. By the server's clock up to the read,
	// and by this process's from there.
	Wait time.Duration
	// Took is how long the handler worked, of all that ends a delivery.
	Took time.Duration
	// RetryIn is when the message comes back, of Retried.
	RetryIn time.Duration
	// Reason is why the message is dead, of DeadLettered and Discarded.
	Reason Reason
	// Err is the handler's error, or why it happened.
	Err error
}

// EventKind says what happened.
type EventKind string

const (
	// Sent means that messages were sent, outside of a transaction or in one that
	// may still roll back.
	Sent EventKind = "sent"
	// Delivered means that a handler is about to get the message.
	Delivered EventKind = "delivered"
	// Settled means that the work is done and the message deleted or archived.
	Settled EventKind = "settled"
	// Retried means that the handler failed and the message comes back.
	Retried EventKind = "retried"
	// DeadLettered means that the message went to the dead-letter queue, or to
	// the archive marked as failed.
	DeadLettered EventKind = "dead-lettered"
	// Discarded means that the handler said Discard, and the message went to the
	// archive marked as failed.
	Discarded EventKind = "discarded"
	// LeaseLost means that the result of this delivery was not recorded: somebody
	// else may have the message, or it comes back when its lease ends, because it
	// died and could not be recorded as a dead letter. Err says why.
	LeaseLost EventKind = "lease lost"
	// Returned means that the message was fetched and given back without a
	// delivery.
	Returned EventKind = "returned"
	// Outage means that the database has failed twice in a row. It is told once,
	// however long it lasts; work goes on when it is over.
	Outage EventKind = "outage"
	// Recovered means that the outage is over.
	Recovered EventKind = "recovered"
	// Polling means that wake-ups cannot be received, for now: new messages are
	// found by looking now and then.
	Polling EventKind = "polling"
	// Listening means that wake-ups are received again.
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
		if e.Reason != "" {
			attrs = append(attrs, slog.String("reason", string(e.Reason)))
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
