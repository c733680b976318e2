package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/receipt"
)

// Delivery is one delivery of a message, from its fetch until it is settled.
type Delivery struct {
	Row db.Message

	apart int32 // the bytes of its body and headers that are to be fetched: see apart.go

	// The result, set by the worker.
	Undecodable bool // Err says why
	Err         error

	fetched time.Time
	began   time.Time
	took    time.Duration

	stopped bool // we ended the ctx of its handler before that returned
	ours    bool // the transaction that was to settle it failed, not the handler
	txOver  bool // its handler ended that transaction

	disposition Disposition
	after       time.Duration // of Retry
	uncounted   bool          // of Retry: this read does not count
	reason      string        // of DeadLetter and Discard
	settled     bool          // its receipt held
	unsettled   error         // why the settling failed
	attempted   bool          // an attempt to settle it failed, and may have worked

	lease lease // guarded by leases.mu
}

// batch has the deliveries of one call of a handler: one, or several.
type batch []*Delivery

// receipt returns the id and the receipt, as receipt.Sorted asks for them.
func (d *Delivery) receipt() (id int64, r receipt.Receipt) { return d.Row.MsgID, receipt.Of(&d.Row) }

// delivered returns the event of the delivery's beginning.
func (d *Delivery) delivered() Event {
	e := Event{Kind: EventDelivered, ID: d.Row.MsgID, Count: 1, Reads: int(d.Row.ReadCt)}
	if at := d.Row.LastReadAt; at != nil {
		e.Wait = max(at.Sub(d.Row.EnqueuedAt), 0) + d.began.Sub(d.fetched)
	}
	return e
}

// ended returns the event of the delivery's end. Lost is why the lease was lost,
// if it was.
func (d *Delivery) ended(lost error) Event {
	e := Event{Kind: EventSettled, ID: d.Row.MsgID, Count: 1, Reads: int(d.Row.ReadCt), Took: d.took, Err: d.Err}
	switch {
	case !d.settled, lost != nil && d.disposition == Retry:
		if lost == nil {
			lost = leaseLost("its result was not recorded")
		}
		e.Kind, e.Err = EventLeaseLost, errors.Join(lost, d.unsettled, d.Err)
	case d.disposition == Retry && d.uncounted:
		e.Kind, e.RetryIn, e.Reads = EventReturned, d.after, e.Reads-1
	case d.disposition == Retry:
		e.Kind, e.RetryIn = EventRetried, d.after
	case d.disposition == DeadLetter:
		e.Kind, e.Reason = EventDeadLettered, d.reason
	case d.disposition == Discard:
		e.Kind, e.Reason = EventDiscarded, d.reason
	}
	return e
}

// note returns the header x-pgmq-dead-letter of the delivery. The server adds the queue
// and the time of death. guard.Call has already called the error's methods.
func (d *Delivery) note() json.RawMessage {
	n := struct {
		Reason string `json:"reason"`
		Error  string `json:"error,omitempty"`
		Stack  string `json:"stack,omitempty"`
	}{Reason: d.reason}
	err := d.Err
	if o, told := errors.AsType[*Outcome](err); told {
		err = o.Err
	}
	if err != nil {
		n.Error = storableText(err.Error())
	}
	if p, ok := errors.AsType[interface {
		error
		StackTrace() []byte
	}](err); ok {
		n.Stack = storableText(string(p.StackTrace()))
	}
	raw, _ := json.Marshal(n) // three strings
	return raw
}

// storableText returns the part of a text that a note has room for and that a
// jsonb can hold.
func storableText(text string) string {
	text = strings.ReplaceAll(text[:min(len(text), maxNote)], "\x00", "")
	return strings.ToValidUTF8(text, "")
}

// lease is a delivery's hold on its message.
type lease struct {
	stage  stage
	since  time.Time // when it came to this stage
	until  time.Time // it holds until then at least, by this process's clock
	lost   error     // why it no longer holds
	cancel context.CancelCauseFunc
}

// stage is where a delivery is in the engine.
type stage int

const (
	stageWaiting  stage = iota // for a worker
	stageHandling              // a handler has it
	stageSettling              // the handler is done, or our own transaction has locked the row
)
