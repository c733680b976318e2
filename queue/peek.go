package queue

import (
	"context"
	"errors"
	"math"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/table"
)

// PeekOption is an option of Peek: [FromID].
type PeekOption interface {
	applyPeek(o *peekOptions) error
}

// FromID is the id at which Peek or Archived begins: at the next message if there is
// none of that id. The default is the oldest.
type FromID int64

type peekOptions struct{ from int64 }

// Peek returns the n oldest messages of the queue, hidden or not, and changes
// nothing: it hides no message and counts no read. It returns fewer, or none and no
// error, when there are not as many. The option is [FromID]; the id after the last
// one continues. A message's VisibleAt says whether it is hidden, by the server's
// clock.
//
// Peek does not take a lease. Delete, Archive and SetVT leave a message from Peek as
// it is and name it in [LeaseLostError.Unread]; DeleteID and the other methods by id
// take it from any holder.
//
// Errors: [ErrInvalidOption], also for n below 1; [ErrNoQueue]; errors of pgx; and
// [*DecodeError]s and [*FetchError]s together with the messages, as with Read.
func (q *Queue[T]) Peek(ctx context.Context, n int, opts ...PeekOption) ([]*Message[T], error) {
	msgs, err := q.peek(ctx, n, opts)
	if err != nil {
		return msgs, q.fail("peek", err)
	}
	return msgs, nil
}

func (q *Queue[T]) peek(ctx context.Context, n int, opts []PeekOption) ([]*Message[T], error) {
	var o peekOptions
	if err := option.Apply(&o, opts, PeekOption.applyPeek); err != nil {
		return nil, err
	}
	limit, err := limitOf(n)
	if err != nil {
		return nil, err
	}
	rows, unfetched, err := q.peekRows(ctx, o.from, limit)
	if err != nil {
		return nil, err
	}
	msgs, undecoded := q.messages(rows, q.unread)
	return msgs, errors.Join(append(undecoded, unfetched...)...)
}

func (c core) peekRows(ctx context.Context, from int64, n int32) (msgs []db.Message, unfetched []error, err error) {
	rows, apart, err := narrowed(table.Alone(c.bound.Conn), func(apart int32) ([]db.PeekRow, error) {
		return table.Run(ctx, c.bound.Indexed, queries.Peek, db.PeekParams{FromID: from, ToID: math.MaxInt64, N: n, Apart: apart})
	})
	if err != nil {
		return nil, nil, err
	}
	msgs, unfetched = c.whole(fetch.Peek(rows, apart), func(r fetch.Row) (db.Message, error) {
		ctx, cancel := fetch.Limited(ctx)
		defer cancel()
		return fetch.Whole(ctx, c.bound.Indexed, r.MsgID)
	})
	return msgs, unfetched, nil
}

func (id FromID) applyPeek(o *peekOptions) error {
	o.from = int64(id)
	return nil
}
