package queue

import (
	"context"
	"errors"

	"github.com/pgmq-go/pgmq/internal/table"
)

// Outgoing is a message for SendEach.
type Outgoing[T any] struct {
	Body T
	// Options are [Delay], [At] and [Headers], as for Send. The default is none.
	Options []SendOption
}

// SendEach is SendBatch for messages that have options of their own: one round
// trip and one statement, all of them are sent or none, and the ids are in the
// order of msgs. Its limits and its errors are those of SendBatch.
func (q *Queue[T]) SendEach(ctx context.Context, msgs []Outgoing[T]) ([]int64, error) {
	ids, err := q.sendEach(ctx, msgs)
	if err != nil {
		return nil, q.fail("send each", err)
	}
	if len(ids) > 0 {
		q.tell(ctx, Event{Kind: Sent, ID: ids[0], Count: len(ids)})
	}
	return ids, nil
}

func (q *Queue[T]) sendEach(ctx context.Context, msgs []Outgoing[T]) ([]int64, error) {
	if len(msgs) == 0 {
		return nil, nil
	}
	batch := make([]outgoing, len(msgs))
	total := 0
	for i, m := range msgs {
		o, err := sendOptionsOf(m.Options)
		if bad, ok := errors.AsType[*EncodeError](err); ok {
			return nil, &EncodeError{Index: i, Err: bad.Err} // its headers
		}
		if err != nil {
			return nil, err
		}
		raw, err := q.encode(m.Body)
		if err != nil {
			return nil, &EncodeError{Index: i, Err: err}
		}
		if total += len(raw) + len(o.headers); total > maxBatch {
			return nil, &EncodeError{Index: i, Err: errBatchTooLarge}
		}
		batch[i] = outgoing{message: raw, headers: o.headers, at: o.at, delay: o.delay}
	}
	ids, err := sendMany(ctx, q.db, table.Alone(q.db), batch)
	if refused(err) {
		return nil, &EncodeError{Index: -1, Err: err}
	}
	return ids, q.unsure(ctx, err)
}
