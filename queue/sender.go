package queue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// outgoing is an encoded message.
type outgoing struct {
	message, headers json.RawMessage
	at               *time.Time // nil for none
	delay            time.Duration
}

func (o outgoing) size() int { return len(o.message) + len(o.headers) }

// sender sends the messages of many callers in few statements: those that come
// while a statement is under way share the next one.
type sender struct {
	generics.Coalescer[outgoing, int64]
	stream stream
}

func newSender(on db.DBTX) *sender {
	return &sender{Coalescer: generics.Coalescer[outgoing, int64]{
		Most:     maxFlush,
		Heaviest: maxFlushBytes,
		Weigh:    outgoing.size,
		Flush: func(ctx context.Context, batch []outgoing) []generics.Result[int64] {
			return generics.Bisect(batch, func(part []outgoing) ([]int64, error) {
				if len(part) == 1 {
					id, err := sendOne(ctx, on, true, part[0])
					return []int64{id}, err
				}
				return sendMany(ctx, on, true, part)
			}, pgerr.Divisible)
		},
	}}
}

func sendOne(ctx context.Context, on db.DBTX, alone bool, o outgoing) (int64, error) {
	return table.Run(ctx, on, queries.Send, db.SendParams{
		Alone:     alone,
		VisibleAt: o.at,
		Delay:     o.delay,
		Message:   o.message,
		Headers:   o.headers,
	})
}

// noHeaders stands for none in an array. Headers are an object.
var noHeaders = json.RawMessage("null")

func sendMany(ctx context.Context, on db.DBTX, alone bool, batch []outgoing) ([]int64, error) {
	many := db.SendManyParams{
		Alone:      alone,
		Messages:   make([]json.RawMessage, len(batch)),
		Headers:    make([]json.RawMessage, len(batch)),
		VisibleAts: make([]time.Time, len(batch)),
		Delays:     make([]float64, len(batch)),
	}
	for i, o := range batch {
		many.Messages[i], many.Headers[i], many.Delays[i] = o.message, o.headers, o.delay.Seconds()
		if o.at != nil {
			many.VisibleAts[i] = *o.at
		}
		if o.headers == nil {
			many.Headers[i] = noHeaders
		}
	}
	return table.Run(ctx, on, queries.SendMany, many)
}
