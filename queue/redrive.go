package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
)

// RedriveOption is an option of Redrive: [IDs], [Containing], a [Reason], [Rate]
// or [Progress].
type RedriveOption interface {
	applyRedrive(o *redriveOptions) error
}

// IDs has only these messages redriven or replayed, by their ids in the
// dead-letter queue or the archive. The default is all; an empty list is none.
type IDs []int64

// Containing has only messages redriven whose body contains this JSON, as
// Postgres' operator @> understands it. The default is all.
type Containing json.RawMessage

// Rate is how many messages a second are redriven at most. The default, also of
// Rate(0), is no limit.
type Rate float64

// Progress is called after every step with the number of messages moved so far.
type Progress func(moved int64)

type redriveOptions struct {
	ids      []int64
	body     json.RawMessage
	reason   pgtype.Text
	rate     float64
	progress func(int64)
}

// Redrive moves dead letters back to where they are worked on: every message that
// is visible in the queue from, and was there when Redrive began, goes to the
// queue to as a new message, oldest first. The header x-pgmq-dead-letter stays,
// so that a handler sees what happened, and the first time of sending is kept if
// the message dies again. It returns how many were moved.
//
// Each step moves up to 1,000 messages in one statement: whatever stops Redrive,
// a message is in one of the queues, and calling it again goes on. Two at once
// share the work. In a transaction it is all or nothing.
//
// Errors: [ErrName], [ErrOption], [ErrNoQueue], what pgx returns, and ctx's. With
// an error the number is that of the steps before: the one that ctx or an outage
// met may have been done as well.
func Redrive(ctx context.Context, db DB, from, to string, opts ...RedriveOption) (int64, error) {
	h, err := open(db, from)
	if err != nil {
		return 0, err
	}
	target, err := open(db, to)
	if err != nil {
		return 0, err
	}
	moved, err := h.redrive(ctx, target, opts)
	if err != nil {
		return moved, h.fail(fmt.Sprintf("redrive to %q", to), err)
	}
	return moved, nil
}

func (h handle) redrive(ctx context.Context, target handle, opts []RedriveOption) (moved int64, err error) {
	o := redriveOptions{progress: func(int64) {}}
	for _, opt := range opts {
		if opt == nil {
			return 0, errNilOption
		}
		if err := opt.applyRedrive(&o); err != nil {
			return 0, err
		}
	}
	source, err := queries.Find(ctx, h.db)
	if err != nil {
		return 0, err
	}
	if t, err := queries.Find(ctx, target.db); err != nil {
		return 0, err
	} else if t.Name == source.Name {
		return 0, fmt.Errorf("%w: from and to are the same queue", ErrOption)
	}
	began, err := queries.Now(ctx, h.db)
	if err != nil {
		return 0, err
	}
	step := int32(1000)
	if o.rate > 0 {
		step = int32(min(max(o.rate/10, 1), 1000)) // about ten steps a second
	}
	for next := time.Now(); ; {
		ids, err := queries.Redrive(ctx, h.source, db.RedriveParams{
			Source: h.name, Target: target.name, N: step, OnlyIDs: o.ids, Body: o.body, Reason: o.reason, Until: &began,
		})
		if err != nil {
			return moved, err
		}
		if len(ids) == 0 {
			return moved, nil
		}
		moved += int64(len(ids))
		o.progress(moved)
		if o.rate > 0 {
			next = next.Add(time.Duration(float64(len(ids)) / o.rate * float64(time.Second)))
			if !sleep(ctx, time.Until(next)) {
				return moved, context.Cause(ctx)
			}
		}
	}
}

func (ids IDs) applyRedrive(o *redriveOptions) error {
	o.ids = append([]int64{}, ids...) // not nil, which would be all
	return nil
}

func (c Containing) applyRedrive(o *redriveOptions) error {
	raw, err := generics.JSON[json.RawMessage]{}.Encode(json.RawMessage(c))
	if err == nil {
		err = storable(raw)
	}
	if err != nil {
		return fmt.Errorf("%w: Containing is no JSON that can be looked for: %w", ErrOption, err)
	}
	o.body = raw
	return nil
}

func (reason Reason) applyRedrive(o *redriveOptions) error {
	o.reason = pgtype.Text{String: string(reason), Valid: true}
	return nil
}

func (r Rate) applyRedrive(o *redriveOptions) error {
	if !(r >= 0) {
		return fmt.Errorf("%w: Rate is %v a second", ErrOption, float64(r))
	}
	o.rate = float64(r)
	return nil
}

var errNilProgress = fmt.Errorf("%w: Progress is nil", ErrOption)

func (p Progress) applyRedrive(o *redriveOptions) error {
	if p == nil {
		return errNilProgress
	}
	o.progress = p
	return nil
}
