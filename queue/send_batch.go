package queue

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

var errBatchTooLarge = errors.New("the batch is over 512 MiB with it: send fewer at a time")

// SendBatch adds all messages in one round trip and one statement: all of them are
// sent, or none. It returns their ids in the order of bodies. The options hold for
// each message. No bodies are no message and no error.
//
// A batch may have any number of messages, with up to 512 MiB of JSON in all.
// Errors are those of Send; an [*EncodeError] says which message it was, and a
// [*NotStoredError] which ones a trigger left out.
func (q *Queue[T]) SendBatch(ctx context.Context, bodies []T, opts ...SendOption) ([]int64, error) {
	return q.sendAll(ctx, "send batch", len(bodies), func(ctx context.Context, added map[string]any) ([]int64, error) {
		return q.sendBatch(ctx, bodies, opts, added)
	})
}

// Outgoing is a message for SendMessages.
type Outgoing[T any] struct {
	Body T
	// Options are [Delay], [At] and [Headers], as for Send. The default is none.
	Options []SendOption
}

// SendMessages is SendBatch for messages with options of their own: one round trip
// and one statement, all of them are sent or none, and the ids are in the order of
// msgs. It has the limits and the errors of SendBatch.
func (q *Queue[T]) SendMessages(ctx context.Context, msgs ...Outgoing[T]) ([]int64, error) {
	return q.sendAll(ctx, "send messages", len(msgs), func(ctx context.Context, added map[string]any) ([]int64, error) {
		return q.sendMessages(ctx, msgs, added)
	})
}

// sendAll sends n messages by send, with interceptors around it.
func (q *Queue[T]) sendAll(
	ctx context.Context, name string, n int, send func(context.Context, map[string]any) ([]int64, error),
) (ids []int64, err error) {
	op := &Operation{Kind: OpSend, Count: n}
	err = q.around(ctx, op, func(ctx context.Context) (err error) {
		ids, err = send(ctx, op.headers)
		op.IDs = ids
		return err
	})
	if err != nil {
		return nil, q.fail(name, err)
	}
	if len(ids) > 0 {
		q.tellSent(ctx, ids[0], len(ids))
	}
	return ids, nil
}

func (q *Queue[T]) sendBatch(ctx context.Context, bodies []T, opts []SendOption, added map[string]any) ([]int64, error) {
	o, err := sendOptionsOf(opts)
	if err != nil || len(bodies) == 0 {
		return nil, err
	}
	headers, err := o.headers.encode(added)
	if err != nil {
		return nil, &EncodeError{Index: -1, Err: err}
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
	row, err := table.Run(ctx, q.bound.DB, queries.SendBatch, db.SendBatchParams{
		Alone:     table.Alone(q.bound.DB),
		VisibleAt: o.at,
		Delay:     o.delay,
		Messages:  raws,
		Headers:   headers,
	})
	return q.batchSent(ctx, placed(len(raws), row.Inputs, row.MsgIDs), err)
}

func (q *Queue[T]) sendMessages(ctx context.Context, msgs []Outgoing[T], added map[string]any) ([]int64, error) {
	if len(msgs) == 0 {
		return nil, nil
	}
	batch := make([]outgoing, len(msgs))
	total := 0
	for i, m := range msgs {
		one, err := q.outgoing(m.Body, m.Options, added)
		if bad, ok := errors.AsType[*EncodeError](err); ok {
			return nil, &EncodeError{Index: i, Err: bad.Err}
		}
		if err != nil {
			return nil, err
		}
		if total += one.size(); total > maxBatch {
			return nil, &EncodeError{Index: i, Err: errBatchTooLarge}
		}
		batch[i] = one
	}
	many := manyOf(batch)
	many.Alone, many.Whole = table.Alone(q.bound.DB), true
	sent, err := sendMany(ctx, q.bound.DB, many)
	return q.batchSent(ctx, sent, err)
}

// batchSent returns the result of a statement that sent several messages.
func (c core) batchSent(ctx context.Context, sent []generics.Result[int64], err error) ([]int64, error) {
	switch {
	case pgerr.Refused(err):
		return nil, &EncodeError{Index: -1, Err: err}
	case pgerr.NotStored(err):
		return nil, &NotStoredError{Indexes: pgerr.LeftOut(err), Err: pgerr.Explain(err)}
	case err != nil:
		return nil, c.unsure(ctx, err)
	}
	ids := make([]int64, len(sent))
	for i, one := range sent {
		if one.Err != nil {
			return nil, one.Err // of a server that counts otherwise: it stored the others
		}
		ids[i] = one.Value
	}
	return ids, nil
}
