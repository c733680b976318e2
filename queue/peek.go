package queue

import (
	"context"
	"errors"

	"github.com/pgmq-go/pgmq/db"
)

// PeekOption is an option of Peek: [From].
type PeekOption interface {
	applyPeek(o *peekOptions) error
}

// From is the id of the first message that is looked at, or the next one if there
// is none of that id. The default is the oldest.
type From int64

type peekOptions struct{ from int64 }

// Peek looks at the n oldest messages of the queue, hidden or not, and changes
// nothing: no message is hidden, and no read is counted. Fewer, or none and no
// error, when there are not as many. The option is [From]; the id after the last
// one goes on from there. Whether a message is hidden is told by its VisibleAt, by
// the server's clock.
//
// Who looks holds nothing. Delete, Archive and SetVT leave a message that came
// from Peek as it is and name it in [LeaseLostError.Unread]; what goes by id, such
// as DeleteID, takes it from whoever holds it.
//
// Errors: [ErrOption], also for n below 1; [ErrNoQueue]; what pgx returns; and
// [*DecodeError]s beside the messages, as with Read.
func (q *Queue[T]) Peek(ctx context.Context, n int, opts ...PeekOption) ([]*Message[T], error) {
	msgs, err := q.peek(ctx, n, opts)
	if err != nil {
		return msgs, q.fail("peek", err)
	}
	return msgs, nil
}

func (q *Queue[T]) peek(ctx context.Context, n int, opts []PeekOption) ([]*Message[T], error) {
	var o peekOptions
	for _, opt := range opts {
		if opt == nil {
			return nil, errNilOption
		}
		if err := opt.applyPeek(&o); err != nil {
			return nil, err
		}
	}
	limit, err := limitOf(n)
	if err != nil {
		return nil, err
	}
	rows, err := queries.Peek(ctx, q.db, db.PeekParams{FromID: o.from, N: limit})
	if err != nil {
		return nil, err
	}
	msgs := make([]*Message[T], 0, len(rows))
	var undecoded []error
	for _, row := range rows {
		m, err := q.glance(row)
		if err != nil {
			undecoded = append(undecoded, err)
			continue
		}
		msgs = append(msgs, m)
	}
	return msgs, errors.Join(undecoded...)
}

// glance is message without the receipt, even if somebody holds one.
func (q *Queue[T]) glance(row db.Message) (*Message[T], error) {
	m, err := q.message(row)
	if err != nil {
		return nil, err
	}
	m.receipt = receipt{}
	return m, nil
}

func (from From) applyPeek(o *peekOptions) error {
	o.from = int64(from)
	return nil
}
