package main

import (
	"context"
	"io"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/feed"
	"github.com/pgmq-go/pgmq/queue"
)

const (
	sendSize    = 100
	maxInFlight = 50_000 // sent and not settled: the messages that the demo remembers
)

// sendLines sends the lines in batches. A line that cannot be sent is counted, and
// the rest goes on.
func sendLines[T any](ctx context.Context, q *queue.Queue[T], in io.Reader, t *tally) error {
	var codec generics.JSON[T]
	sender := feed.Sender[T]{
		Send:    func(ctx context.Context, bodies []T) ([]int64, error) { return q.SendBatch(ctx, bodies) },
		Sent:    func(_ []feed.Item[T], ids []int64) { t.sent(ids) },
		LeftOut: t.broken,
	}
	for lines := range feed.Batches(ctx, in, sendSize) {
		var batch []feed.Item[T]
		for _, line := range lines {
			body, err := codec.Decode(line.Text)
			if line.Err != nil {
				err = line.Err
			}
			if err != nil {
				t.broken(line.Number, err)
				continue
			}
			batch = append(batch, feed.Item[T]{Number: line.Number, Body: body})
		}
		if err := sender.Deliver(ctx, batch); err != nil {
			return err
		}
		if err := t.inFlight(ctx, maxInFlight); err != nil {
			return err
		}
	}
	return ctx.Err()
}
