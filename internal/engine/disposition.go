package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/internal/fetch"
)

// Disposition is the engine's decision on a message after its handler.
type Disposition int

// The dispositions.
const (
	None Disposition = iota // it is settled already, or the lease is lost
	Delete
	Archive
	Retry
	DeadLetter
	Discard
)

// The reasons of dead letters; see queue.Reason.
const (
	ReasonMaxReads    = "max reads"
	ReasonUndecodable = "undecodable"
	ReasonUnfetchable = "unfetchable"
	ReasonDeadLetter  = "dead letter"
	ReasonDiscarded   = "discarded"
	ReasonTxEnded     = "transaction ended"
)

var errMaxReads = errors.New("the last delivery that MaxReads allows did not end, or its result could not be recorded")

// Outcome is an error of a handler that decides the disposition of the message.
type Outcome struct {
	Err         error // may be nil
	Disposition Disposition
	After       time.Duration // of Retry
}

func (o *Outcome) Error() string {
	text := map[Disposition]string{
		Retry:      fmt.Sprintf("retry in %v", o.After),
		DeadLetter: "dead letter",
		Discard:    "discard",
	}[o.Disposition]
	if o.Err == nil {
		return text
	}
	return text + ": " + o.Err.Error()
}

func (o *Outcome) Unwrap() error { return o.Err }

// decide sets the disposition of a delivery after its handler: done, a retry with its
// backoff, or a dead letter. If the engine caused the failure, the read does not count.
func (d *Delivery) decide(o Options) {
	reads := int(d.Row.ReadCt)
	outcome, told := errors.AsType[*Outcome](d.Err)
	if told && d.stopped && endedByCtx(outcome.Err) {
		told = false // the handler does so with every error
	}
	switch {
	case d.settled:
		d.disposition = None
	case d.txOver:
		d.disposition, d.reason, d.Err = DeadLetter, ReasonTxEnded, errors.Join(ErrTxEnded, d.Err)
	case d.Err == nil:
		d.disposition = o.Done
	case d.Undecodable:
		d.disposition, d.reason = DeadLetter, ReasonUndecodable
	case errors.As(d.Err, new(*fetch.Error)):
		d.disposition, d.reason = DeadLetter, ReasonUnfetchable
	case errors.Is(d.Err, errMaxReads):
		d.disposition, d.reason = DeadLetter, ReasonMaxReads
	case told && outcome.Disposition == DeadLetter:
		d.disposition, d.reason = DeadLetter, ReasonDeadLetter
	case told && outcome.Disposition == Discard:
		d.disposition, d.reason = Discard, ReasonDiscarded
	case d.stopped:
		d.disposition, d.uncounted = Retry, true // at once: another consumer may go on
		if told {
			d.after = outcome.After
		}
	case d.ours:
		d.disposition, d.uncounted, d.after = Retry, true, max(o.Backoff(reads), 0)
	case o.MaxReads > 0 && reads >= o.MaxReads:
		d.disposition, d.reason = DeadLetter, ReasonMaxReads
	case told:
		d.disposition, d.after = Retry, outcome.After
	default:
		d.disposition, d.after = Retry, max(o.Backoff(reads), 0)
	}
}

// endedByCtx reports whether an error is that of a ctx that ended.
func endedByCtx(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, ErrGraceExpired) || errors.Is(err, ErrLeaseLost)
}
