package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/jsonb"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Send adds a message to the queue and returns its id. When it returns without an
// error, outside of a transaction, the message is as durable as the server's
// synchronous_commit makes it.
//
// On a pool, concurrent Sends share statements and commits: Sends that come while a
// statement runs go with the next, up to 1,000 messages or 16 MiB. Each
// returns its own id or its own error, and a single Send does not wait. A statement
// that waits for a lock or takes long holds up no other Send for more than about
// 50 ms. In a transaction, on a connection, from 8 KiB on, and on a pool whose sessions
// depend on the caller ([SessionPerCaller]), a message has a statement of its own.
//
// Errors: [*EncodeError] for a body or headers that cannot be stored, [*NotStoredError]
// for a message that a trigger left out, [ErrInvalidOption], [ErrNoQueue], and errors of
// pgx. After an error from the connection it is unknown whether the message was sent.
// After one from ctx it was not, unless the error matches [ErrOutcomeUnknown] as well.
func (q *Queue[T]) Send(ctx context.Context, body T, opts ...SendOption) (int64, error) {
	id, err := q.interceptedSend(ctx, body, opts)
	if err != nil {
		return 0, q.fail("send", err)
	}
	q.tellSent(ctx, id, 1)
	return id, nil
}

// interceptedSend is send with interceptors around it. Without any it allocates
// nothing for them.
func (q *Queue[T]) interceptedSend(ctx context.Context, body T, opts []SendOption) (id int64, err error) {
	if len(q.interceptors) == 0 {
		return q.send(ctx, body, opts, nil)
	}
	op := &Operation{Kind: OpSend, Count: 1}
	err = q.around(ctx, op, func(ctx context.Context) (err error) {
		if id, err = q.send(ctx, body, opts, op.headers); err == nil {
			op.IDs = []int64{id}
		}
		return err
	})
	return id, err
}

func (q *Queue[T]) send(ctx context.Context, body T, opts []SendOption, added map[string]any) (int64, error) {
	message, err := q.outgoing(body, opts, added)
	if err != nil {
		return 0, err
	}
	var id int64
	err = errApart
	if q.sender != nil && q.sender.lone != nil && message.size() < aloneSize {
		id, err = q.sender.lone.Do(ctx, message)
	}
	if errors.Is(err, errApart) {
		id, err = sendOne(ctx, q.bound.DB, table.Alone(q.bound.DB), message)
		err = q.unsure(ctx, err)
	}
	return id, notSent(err)
}

// notSent says that an error is about the one message that was sent.
func notSent(err error) error {
	switch {
	case pgerr.Refused(err):
		return &EncodeError{Err: err}
	case pgerr.NotStored(err), errors.Is(err, ErrNotStored):
		return &NotStoredError{Indexes: []int{0}, Err: pgerr.Explain(err)}
	}
	return err
}

// outgoing encodes a message.
func (q *Queue[T]) outgoing(body T, opts []SendOption, added map[string]any) (outgoing, error) {
	o, err := sendOptionsOf(opts)
	if err != nil {
		return outgoing{}, err
	}
	headers, err := o.headers.encode(added)
	if err != nil {
		return outgoing{}, &EncodeError{Index: -1, Err: err}
	}
	raw, err := q.encode(body)
	if err != nil {
		return outgoing{}, &EncodeError{Err: err}
	}
	return outgoing{message: raw, headers: headers, at: o.at, delay: o.delay}, nil
}

// encode returns body as JSON that Postgres can store.
func (q *Queue[T]) encode(body T) (json.RawMessage, error) {
	var raw json.RawMessage
	err := guarded("MarshalJSON", func() (err error) {
		raw, err = q.codec.Encode(body)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := jsonb.Check(raw); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return raw, nil
}

// unsure adds ErrOutcomeUnknown to the error of a statement that was a transaction by
// itself and may have been running when ctx ended.
func (c core) unsure(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || !table.Alone(c.bound.DB) || pgconn.SafeToRetry(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
}
