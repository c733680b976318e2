package queue

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/internal/engine"
)

// Observer gets the events of a queue's sends and consumers, for logs and metrics.
// The goroutine that does the work calls it, so it must be quick and safe for
// concurrent use. When it panics, [EventPanicked] tells the others, and work goes on.
// An [Interceptor] runs around operations instead.
type Observer func(ctx context.Context, e Event)

// Event is something that happened. Fields that do not apply are zero.
type Event struct {
	Kind  EventKind
	Queue string
	// ID is the id of the message; of EventSent, that of the first of a batch.
	ID int64
	// Count is the number of messages. EventSent may have several; other events have
	// 1, or 0 when the event is not about a message.
	Count int
	// Reads counts the deliveries of the message so far, this one included.
	Reads int
	// Wait is the time from sending to delivery, of EventDelivered. It includes a
	// Delay and earlier deliveries. The server's clock measures it up to the read, this
	// process's clock from there.
	Wait time.Duration
	// Took is the handler's time, of events that end a delivery.
	Took time.Duration
	// RetryIn is when the message comes back, of EventRetried.
	RetryIn time.Duration
	// Reason is why the message is dead, of EventDeadLettered and EventDiscarded.
	Reason Reason
	// Err is the handler's error, or the reason of the event.
	Err error
}

// EventKind is the kind of an event.
type EventKind string

const (
	// EventSent means that messages were sent, outside of a transaction or in one that
	// may still roll back.
	EventSent EventKind = "sent"
	// EventDelivered means that a handler is about to get the message.
	EventDelivered EventKind = engine.EventDelivered
	// EventSettled means that the work is done and the message deleted or archived.
	EventSettled EventKind = engine.EventSettled
	// EventRetried means that the handler failed and the message comes back.
	EventRetried EventKind = engine.EventRetried
	// EventDeadLettered means that the message went to the dead-letter queue, or to
	// the archive marked as failed.
	EventDeadLettered EventKind = engine.EventDeadLettered
	// EventDiscarded means that the handler said Discard, and the message went to the
	// archive marked as failed.
	EventDiscarded EventKind = engine.EventDiscarded
	// EventLeaseLost means that the result of this delivery was not recorded: another
	// reader may have the message, or the message could not be recorded as a dead letter
	// and comes back when its lease ends. Err says why.
	EventLeaseLost EventKind = engine.EventLeaseLost
	// EventReturned means that the message was given back, and that the read does not
	// count: no handler had it, or the failure was not the message's. Err says which:
	// the consumer ended the handler, or could not begin or commit its transaction.
	EventReturned EventKind = engine.EventReturned
	// EventFetchFailed means that a fetch failed and its messages did not arrive. They do
	// not count as read: Consume fetches each by itself. A message that cannot be fetched
	// even so becomes a dead letter; ID names it.
	EventFetchFailed EventKind = engine.EventFetchFailed
	// EventOutage means that the database has failed twice in a row. Observers get it
	// once for an outage; work goes on when the outage is over.
	EventOutage EventKind = engine.EventOutage
	// EventRecovered means that the outage is over.
	EventRecovered EventKind = engine.EventRecovered
	// EventPolling means that notifications cannot be received, for now: the consumer
	// polls for new messages.
	EventPolling EventKind = engine.EventPolling
	// EventListening means that notifications are received again.
	EventListening EventKind = engine.EventListening
	// EventPoolShort means that the pool has too few connections: ConsumeTx runs fewer
	// handlers than Workers, or work has waited for a connection for 3 s. Err says
	// which. It is told once a minute at most.
	EventPoolShort EventKind = engine.EventPoolShort
	// EventPanicked means that an Observer, a Backoff or the done of SendAsync panicked;
	// no caller gets this panic as an error. Err is a *PanicError. An Observer does not
	// get its own panic; if it is the only one, LogObserver logs it to slog.Default().
	EventPanicked EventKind = "panicked"
)

// LogObserver returns an observer that writes events to a log: outages, failed
// fetches, dead letters, lost leases, panics and a pool that is too small as warnings,
// retries at level Info, and the rest at level Debug. It
// writes no bodies, but it writes the errors of handlers.
func LogObserver(logger *slog.Logger) Observer {
	return func(ctx context.Context, e Event) {
		level := slog.LevelDebug
		switch e.Kind {
		case EventFetchFailed, EventOutage, EventDeadLettered, EventDiscarded, EventLeaseLost, EventPolling, EventPoolShort, EventPanicked:
			level = slog.LevelWarn
		case EventRetried, EventRecovered:
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

// tell tells the observers.
func (c core) tell(ctx context.Context, e Event) {
	e.Queue = c.bound.Name
	for i, observe := range c.observers {
		err := guarded("an Observer", func() error {
			observe(ctx, e)
			return nil
		})
		if err != nil {
			c.panicked(ctx, err, i)
		}
	}
}

// tellSent tells the observers of messages that were sent.
func (c core) tellSent(ctx context.Context, first int64, count int) {
	if len(c.observers) > 0 {
		c.tell(ctx, Event{Kind: EventSent, ID: first, Count: count})
	}
}

// toldOf returns the core with the observers of a consumer after those of the queue.
// Without any it logs.
func (c core) toldOf(consumers []Observer) core {
	c.observers = slices.Concat(c.observers, consumers)
	if len(c.observers) == 0 {
		c.observers = []Observer{LogObserver(slog.Default())}
	}
	return c
}

// engineEvents tells the observers of an engine's events.
func (c core) engineEvents(ctx context.Context, e engine.Event) {
	c.tell(ctx, Event{
		Kind: EventKind(e.Kind), ID: e.ID, Count: e.Count, Reads: e.Reads,
		Wait: e.Wait, Took: e.Took, RetryIn: e.RetryIn, Reason: Reason(e.Reason), Err: e.Err,
	})
}
