package queue

import (
	"encoding/json"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// Message is a message that was read.
type Message[T any] struct {
	// ID is unique in its queue. Ids rise, but they have gaps.
	ID int64
	// Body is the payload. SQL's NULL, which other clients may send, is the
	// zero value.
	Body T
	// Headers travel beside the body. It is nil when there are none, and when
	// another client sent JSON that is not an object: see RawHeaders.
	// Numbers are float64, as everywhere in encoding/json.
	Headers map[string]any
	// Reads counts the deliveries so far, this one included.
	Reads int
	// EnqueuedAt is when the sending transaction began, by the server's clock.
	EnqueuedAt time.Time
	// VisibleAt is the end of this lease, by the server's clock.
	VisibleAt time.Time

	receipt    receipt
	rawHeaders json.RawMessage
}

// RawHeaders returns the headers as they are stored, whatever kind of JSON they
// are; nil when there are none.
func (m *Message[T]) RawHeaders() json.RawMessage { return m.rawHeaders }

// receipt names one read of a message. No two reads of a message have the same:
// the count rises with each, and should a crash of the server ever take a count
// back, the time still differs.
type receipt struct {
	reads int32
	at    time.Time
}

func receiptOf(row db.Message) receipt {
	r := receipt{reads: row.ReadCt}
	if row.LastReadAt != nil {
		r.at = *row.LastReadAt
	}
	return r
}

// message turns a row into a message. The error is a *DecodeError.
func (q *Queue[T]) message(row db.Message) (*Message[T], error) {
	body, err := q.codec.Decode(row.Message)
	if err != nil {
		return nil, &DecodeError{ID: row.MsgID, Raw: row.Message, Err: err}
	}
	m := &Message[T]{
		ID:         row.MsgID,
		Body:       body,
		Reads:      int(row.ReadCt),
		EnqueuedAt: row.EnqueuedAt,
		VisibleAt:  row.VT,
		receipt:    receiptOf(row),
		rawHeaders: row.Headers,
	}
	if len(row.Headers) > 0 {
		// Not an object: Headers stays nil, RawHeaders has them.
		_ = json.Unmarshal(row.Headers, &m.Headers)
	}
	return m, nil
}
