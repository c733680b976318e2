package queue

import (
	"encoding/json"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Message is a message that was read.
type Message[T any] struct {
	// Queue is the name of the queue, as it was given to New.
	Queue string
	// ID is unique in its queue. Ids rise, but they have gaps.
	ID int64
	// Body is the payload. It is the zero value for SQL's NULL, which other clients
	// may send.
	Body T
	// Headers travel with the body. It is nil when there are none, and when another
	// client sent JSON that is not an object: see RawHeaders. Numbers are float64,
	// as everywhere in encoding/json.
	Headers map[string]any
	// Reads counts the deliveries so far, this one included.
	Reads int
	// EnqueuedAt is when the sending transaction began, by the server's clock. Where
	// another client stored an infinite time, here and in VisibleAt, it is [FirstTime]
	// or [LastTime].
	EnqueuedAt time.Time
	// VisibleAt is the end of the lease, by the server's clock, as the read set it.
	// SetVT updates it. A consumer extends leases without updating it: the context
	// of a handler ends when the lease is lost.
	VisibleAt time.Time

	receipt    receipt.Receipt
	rawHeaders json.RawMessage
}

// FirstTime and LastTime stand for the times -infinity and infinity of Postgres, which
// Go's times do not have. They are the first and the last time that Postgres knows: in
// 4714 BC, and at the end of the year 294276.
var (
	FirstTime = table.FirstTime
	LastTime  = table.LastTime
)

// RawHeaders returns the headers as they are stored, also when they are not a JSON
// object; nil when there are none.
func (m *Message[T]) RawHeaders() json.RawMessage { return m.rawHeaders }

// groupHeader is PGMQ's header for the group of a message.
const groupHeader = "x-pgmq-group"

// Group returns the header x-pgmq-group, within which pgmq.read_grouped and its
// variants keep the order; "" when there is none, or when it is not a string.
func (m *Message[T]) Group() string {
	group, _ := m.Headers[groupHeader].(string)
	return group
}

// delivery returns the message as interceptors see it.
func (m *Message[T]) delivery() Delivery {
	return Delivery{ID: m.ID, Reads: m.Reads, EnqueuedAt: m.EnqueuedAt, Headers: m.Headers}
}

// message decodes a row. The error is a *DecodeError.
func (q *Queue[T]) message(row db.Message) (*Message[T], error) {
	var body T
	err := guarded("UnmarshalJSON", func() (err error) {
		body, err = q.codec.Decode(row.Message)
		return err
	})
	if err != nil {
		return nil, &DecodeError{ID: row.MsgID, Raw: row.Message, Err: err}
	}
	m := &Message[T]{
		Queue:      q.bound.Name,
		ID:         row.MsgID,
		Body:       body,
		Reads:      int(row.ReadCt),
		EnqueuedAt: row.EnqueuedAt,
		VisibleAt:  row.VT,
		receipt:    receipt.Of(&row),
		rawHeaders: row.Headers,
	}
	if len(row.Headers) > 0 {
		// Not an object: Headers stays nil, RawHeaders has them.
		_ = json.Unmarshal(row.Headers, &m.Headers)
	}
	return m, nil
}

// unread is message without a receipt, for a row that was not read.
func (q *Queue[T]) unread(row db.Message) (*Message[T], error) {
	m, err := q.message(row)
	if err != nil {
		return nil, err
	}
	m.receipt = receipt.Receipt{}
	return m, nil
}

// messages decodes rows. It returns the messages that decode, and an error for each
// other row.
func (q *Queue[T]) messages(rows []db.Message, decode func(db.Message) (*Message[T], error)) (msgs []*Message[T], undecoded []error) {
	msgs = make([]*Message[T], 0, len(rows))
	for _, row := range rows {
		m, err := decode(row)
		if err != nil {
			undecoded = append(undecoded, err)
			continue
		}
		msgs = append(msgs, m)
	}
	return msgs, undecoded
}

// deliver sets the deliveries that interceptors see, of the messages read.
func deliver[T any](op *Operation, msgs []*Message[T]) {
	op.Count, op.IDs = len(msgs), ids(msgs)
	for _, m := range msgs {
		op.Deliveries = append(op.Deliveries, m.delivery())
	}
}

// ids returns the messages' ids; those of nil messages are left out.
func ids[T any](msgs []*Message[T]) []int64 {
	all := make([]int64, 0, len(msgs))
	for _, m := range msgs {
		if m != nil {
			all = append(all, m.ID)
		}
	}
	return all
}
