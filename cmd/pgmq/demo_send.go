package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/queue"
)

const (
	sendSize    = 100
	maxInFlight = 50_000 // sent and not settled: what the demo keeps in mind
)

// parcel is a line that decoded.
type parcel[T any] struct {
	number int
	body   T
}

// feed sends the lines in batches. A line that cannot be sent is noted, and the
// rest goes on.
func feed[T any](ctx context.Context, q *queue.Queue[T], in io.Reader, t *tally) error {
	var codec generics.JSON[T]
	var batch []parcel[T]
	for line := range untilDone(ctx, readLines(ctx, in)) {
		body, err := codec.Decode(line.text)
		if line.err != nil {
			err = line.err
		}
		if err != nil {
			t.broken(line.number, err)
			continue
		}
		batch = append(batch, parcel[T]{line.number, body})
		if len(batch) == sendSize {
			if err := dispatch(ctx, q, batch, t); err != nil {
				return err
			}
			batch = nil
			if err := t.inFlight(ctx, maxInFlight); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return dispatch(ctx, q, batch, t)
}

// untilDone ranges over a channel until it is closed or ctx is done.
func untilDone[V any](ctx context.Context, values <-chan V) iter.Seq[V] {
	return func(yield func(V) bool) {
		for {
			select {
			case v, open := <-values:
				if !open || !yield(v) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// dispatch sends a batch without the messages that cannot be stored.
func dispatch[T any](ctx context.Context, q *queue.Queue[T], batch []parcel[T], t *tally) error {
	if len(batch) == 0 {
		return nil
	}
	bodies := make([]T, len(batch))
	for i, p := range batch {
		bodies[i] = p.body
	}
	ids, err := q.SendBatch(ctx, bodies)
	var bad *queue.EncodeError
	switch {
	case err == nil:
		t.sent(ids)
		return nil
	case !errors.As(err, &bad):
		return err
	case bad.Index >= 0:
		t.broken(batch[bad.Index].number, bad.Err)
		return dispatch(ctx, q, slices.Delete(batch, bad.Index, bad.Index+1), t)
	case len(batch) == 1:
		t.broken(batch[0].number, bad.Err)
		return nil
	}
	// One of them, and the server did not say which: look in halves.
	half := len(batch) / 2
	if err := dispatch(ctx, q, batch[:half:half], t); err != nil {
		return err
	}
	return dispatch(ctx, q, batch[half:], t)
}
