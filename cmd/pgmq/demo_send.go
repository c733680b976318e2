package main

import (
	"context"
	"io"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/queue"
)

const (
	sendSize    = 100
	maxInFlight = 50_000 // sent and not settled: what the demo keeps in mind
)

// feed sends the lines in batches. A line that cannot be sent is noted, and the
// rest goes on.
func feed[T any](ctx context.Context, q *queue.Queue[T], in io.Reader, t *tally) error {
	var codec generics.JSON[T]
	d := delivery[T]{
		send:    func(ctx context.Context, bodies []T) ([]int64, error) { return q.SendBatch(ctx, bodies) },
		sent:    func(_ []parcel[T], ids []int64) { t.sent(ids) },
		leftOut: t.broken,
	}
	for lines := range batches(ctx, in, sendSize) {
		var batch []parcel[T]
		for _, line := range lines {
			body, err := codec.Decode(line.text)
			if line.err != nil {
				err = line.err
			}
			if err != nil {
				t.broken(line.number, err)
				continue
			}
			batch = append(batch, parcel[T]{line.number, body})
		}
		if err := d.deliver(ctx, batch); err != nil {
			return err
		}
		if err := t.inFlight(ctx, maxInFlight); err != nil {
			return err
		}
	}
	return ctx.Err()
}
