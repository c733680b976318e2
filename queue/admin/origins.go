package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// letter is a message to redrive, and the queue that it died in; "" for none.
type letter = db.DeadLettersRow

// origin is a queue that messages died in.
type origin struct {
	queue table.Bound
	err   error // why nothing can go there
	stay  int   // messages that stay because of err
}

// toOrigins moves each message to the queue that it died in, and returns an error
// for messages that stay. It is one pass over the messages; in each step the messages
// of one origin move together.
func (r *redrive) toOrigins(ctx context.Context) error {
	var order []*origin // in which they were met
	byName := map[string]*origin{}
	err := r.eachStep(ctx, func(letters []letter) error {
		ids := map[*origin][]int64{}
		for _, l := range letters {
			o := byName[l.Origin]
			if o == nil {
				var err error
				if o, err = r.origin(ctx, l.Origin); err != nil {
					return err
				}
				byName[l.Origin] = o
				order = append(order, o)
			}
			ids[o] = append(ids[o], l.MsgID)
		}
		all := 0
		for _, o := range order {
			switch {
			case len(ids[o]) == 0:
				continue
			case o.err != nil:
				o.stay += len(ids[o])
				continue
			}
			n, err := r.move(ctx, o.queue, ids[o])
			if err != nil {
				return err
			}
			all += n
		}
		return r.pause(ctx, all)
	})
	if err != nil {
		return err
	}
	var left LeftError
	for _, o := range order {
		if o.stay > 0 {
			left.Messages += int64(o.stay)
			left.reasons = append(left.reasons, fmt.Errorf("%w: %d message(s) stay", o.err, o.stay))
		}
	}
	if left.Messages == 0 {
		return nil
	}
	return &left
}

// origin finds the queue of that name; its err is set when nothing can go there.
func (r *redrive) origin(ctx context.Context, name string) (*origin, error) {
	if name == "" {
		return &origin{err: fmt.Errorf("%w, as the header x-pgmq-dead-letter names none", ErrNoOrigin)}, nil
	}
	if err := table.CheckName(name); err != nil {
		return &origin{err: fmt.Errorf("%w, as no queue can be called %q", ErrNoOrigin, name)}, nil //nolint:nilerr // it is part of the result
	}
	q, err := table.Open(r.source.Conn, name)
	if err != nil {
		return nil, err
	}
	row, err := table.Ask(ctx, q.DB, queries.Find)
	o := &origin{queue: q}
	switch {
	case err != nil:
		return nil, err
	case !row.Found:
		o.err = fmt.Errorf("%w %q", pgerr.ErrNoQueue, name)
	case row.Name == r.key:
		o.err = fmt.Errorf("%w, as they died in this one", ErrNoOrigin)
	}
	return o, nil
}

// eachStep calls do with the messages to move, oldest first, a step at a time.
func (r *redrive) eachStep(ctx context.Context, do func([]letter) error) error {
	if r.ids != nil {
		for ids := range slices.Chunk(r.ids, r.atOnce()) {
			rows, err := table.Run(ctx, r.source.Indexed, queries.DeadLettersByID, db.DeadLettersByIDParams{
				MsgIDs: ids, Until: r.began, Body: r.body, Reason: r.reason,
			})
			if err != nil {
				return err
			}
			letters := make([]letter, len(rows))
			for i, row := range rows {
				letters[i] = letter(row)
			}
			if err := do(letters); err != nil {
				return err
			}
		}
		return nil
	}
	next := db.DeadLettersParams{Until: r.began, Body: r.body, Reason: r.reason, N: int32(r.atOnce())} //nolint:gosec // 1,000 at most
	for {
		letters, err := table.Run(ctx, r.source.Indexed, queries.DeadLetters, next)
		if err != nil || len(letters) == 0 {
			return err
		}
		if err := do(letters); err != nil {
			return err
		}
		next.AfterID = letters[len(letters)-1].MsgID
	}
}
