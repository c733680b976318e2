package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Send adds a message to the queue and returns its id. When it returns without
// an error, and outside of a transaction, the message is as durable as the
// server's synchronous_commit makes it.
//
// On a pool, Sends of many goroutines share statements and commits: those that
// come while one is under way go with the next, up to 1,000 messages or 16 MiB.
// Each returns its own id or its own error, and none waits when it is alone. In a
// transaction, on a connection, and from 8 KiB on, each is a statement of its own.
//
// Errors: [*EncodeError] for a body or headers that cannot be stored,
// [ErrOption], [ErrNoQueue], and what pgx returns. After an error from the
// connection it is unknown whether the message was sent. After one from ctx it
// was not, unless the error matches [ErrUnknown] as well.
func (q *Queue[T]) Send(ctx context.Context, body T, opts ...SendOption) (int64, error) {
	id, err := q.send(ctx, body, opts)
	if err != nil {
		return 0, q.fail("send", err)
	}
	q.tell(ctx, Event{Kind: Sent, ID: id, Count: 1})
	return id, nil
}

func (q *Queue[T]) send(ctx context.Context, body T, opts []SendOption) (int64, error) {
	message, err := q.outgoing(body, opts)
	if err != nil {
		return 0, err
	}
	var id int64
	if q.sender != nil && message.size() < large {
		id, err = q.sender.Do(ctx, message)
	} else {
		id, err = sendOne(ctx, q.db, table.Alone(q.db), message)
		err = q.unsure(ctx, err)
	}
	if refused(err) {
		return 0, &EncodeError{Err: err}
	}
	return id, err
}

// outgoing encodes a message.
func (q *Queue[T]) outgoing(body T, opts []SendOption) (outgoing, error) {
	o, err := sendOptionsOf(opts)
	if err != nil {
		return outgoing{}, err
	}
	raw, err := q.encode(body)
	if err != nil {
		return outgoing{}, &EncodeError{Err: err}
	}
	return outgoing{message: raw, headers: o.headers, at: o.at, delay: o.delay}, nil
}

// SendBatch adds all messages in one round trip and one statement: all of them
// are sent, or none. It returns their ids in the order of bodies. The options
// hold for each message. No bodies are no message and no error.
//
// A batch may have any number of messages, with up to 512 MiB of JSON in all.
// Errors are those of Send; an [*EncodeError] tells which message it was.
func (q *Queue[T]) SendBatch(ctx context.Context, bodies []T, opts ...SendOption) ([]int64, error) {
	ids, err := q.sendBatch(ctx, bodies, opts)
	if err != nil {
		return nil, q.fail("send batch", err)
	}
	if len(ids) > 0 {
		q.tell(ctx, Event{Kind: Sent, ID: ids[0], Count: len(ids)})
	}
	return ids, nil
}

func (q *Queue[T]) sendBatch(ctx context.Context, bodies []T, opts []SendOption) ([]int64, error) {
	o, err := sendOptionsOf(opts)
	if err != nil || len(bodies) == 0 {
		return nil, err
	}
	raws := make([]json.RawMessage, len(bodies))
	total := 0
	for i, body := range bodies {
		raw, err := q.encode(body)
		if err != nil {
			return nil, &EncodeError{Index: i, Err: err}
		}
		if total += len(raw); total > maxBatch {
			return nil, &EncodeError{Index: i, Err: errBatchTooLarge}
		}
		raws[i] = raw
	}
	ids, err := queries.SendBatch(ctx, q.db, db.SendBatchParams{
		Alone:     table.Alone(q.db),
		VisibleAt: o.at,
		Delay:     o.delay,
		Messages:  raws,
		Headers:   o.headers,
	})
	if refused(err) {
		return nil, &EncodeError{Index: -1, Err: err}
	}
	return ids, q.unsure(ctx, err)
}

// unsure adds ErrUnknown to the error of a statement that was a transaction of its
// own and may have been on its way when ctx ended.
func (h handle) unsure(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || !table.Alone(h.db) || pgconn.SafeToRetry(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

var errBatchTooLarge = errors.New("the batch is over 512 MiB with it: send fewer at a time")

// encode returns body as JSON that Postgres can store.
func (q *Queue[T]) encode(body T) (json.RawMessage, error) {
	raw, err := q.codec.Encode(body)
	if err != nil {
		return nil, err
	}
	if err := storable(raw); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return raw, nil
}
