package queue

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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
	lone   *generics.Coalescer[outgoing, int64] // of Send; nil where every Send has its own session
	stream stream                               // of SendAsync
}

// errApart is the result of a Send whose shared statement gave up: it waited for another
// transaction, or took too long. Any one of its messages may be the reason, so each of
// its callers sends by itself.
var errApart = errors.New("the shared statement gave way")

func newSender(on table.Bound, pool table.Pool) *sender {
	s := &sender{stream: stream{Coalescer: generics.Coalescer[outgoing, int64]{
		Most:     maxFlush,
		Heaviest: maxFlushBytes,
		Weigh:    outgoing.size,
		// One statement at a time, because a stream has an order.
		Flush: func(ctx context.Context, batch []outgoing) []generics.Result[int64] {
			return flush(ctx, on.DB, batch, pgtype.Text{}, func(err error) bool {
				return pgerr.Attributable(err) || pgerr.Contended(err)
			})
		},
	}}}
	if on.PerCaller {
		s.stream.Alike = sameContext
		return s
	}
	s.lone = &generics.Coalescer[outgoing, int64]{
		Most:     maxFlush,
		Heaviest: maxFlushBytes,
		Weigh:    outgoing.size,
		Patience: flushPatience,
		Beside:   beside(int(pool.Config().MaxConns)),
		Flush: func(ctx context.Context, batch []outgoing) []generics.Result[int64] {
			return flush(ctx, on.DB, batch, lockPatience, pgerr.Attributable)
		},
	}
	return s
}

// beside is how many statements may run at once on a pool: all but one of its
// connections, which stays for others.
func beside(conns int) int { return max(conns-1, min(conns, 2)) }

// lockPatience is flushPatience as the setting lock_timeout.
var lockPatience = pgtype.Text{String: strconv.FormatInt(flushPatience.Milliseconds(), 10), Valid: true}

// sameContext reports whether two contexts are one.
func sameContext(a, b context.Context) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// flush sends messages in one statement, which waits for a lock no longer than the
// timeout. A message that makes it fail is found by bisection where split is true.
func flush(
	ctx context.Context, on db.DBTX, batch []outgoing, lockTimeout pgtype.Text, split func(error) bool,
) []generics.Result[int64] {
	return generics.Bisect(batch, func(part []outgoing) ([]generics.Result[int64], error) {
		if len(part) == 1 {
			id, err := sendOne(ctx, on, true, part[0])
			return []generics.Result[int64]{{Value: id}}, err
		}
		many := manyOf(part)
		many.Alone, many.LockTimeout = true, lockTimeout
		sent, err := sendMany(ctx, on, many)
		if lockTimeout.Valid && pgerr.Contended(err) {
			err = errApart
		}
		return sent, err
	}, split)
}

// sendOne returns ErrNotStored when the message was left out.
func sendOne(ctx context.Context, on db.DBTX, alone bool, o outgoing) (int64, error) {
	id, err := table.Run(ctx, on, queries.Send, db.SendParams{
		Alone:     alone,
		VisibleAt: o.at,
		Delay:     o.delay,
		Message:   o.message,
		Headers:   o.headers,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotStored
	}
	return id, err
}

func sendMany(ctx context.Context, on db.DBTX, many db.SendManyParams) ([]generics.Result[int64], error) {
	row, err := table.Run(ctx, on, queries.SendMany, many)
	return placed(len(many.Messages), row.Inputs, row.MsgIDs), err
}

// noHeaders stands for none in an array. Headers are an object.
var noHeaders = json.RawMessage("null")

func manyOf(batch []outgoing) db.SendManyParams {
	many := db.SendManyParams{
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
	return many
}

// placed returns the results of n inputs. Those at these places, counted from 1, were
// stored; the others are ErrNotStored.
func placed(n int, inputs []int32, ids []int64) []generics.Result[int64] {
	results := make([]generics.Result[int64], n)
	for i := range results {
		results[i].Err = ErrNotStored
	}
	for i, input := range inputs {
		if i < len(ids) && 1 <= input && int(input) <= n {
			results[input-1] = generics.Result[int64]{Value: ids[i]}
		}
	}
	return results
}
