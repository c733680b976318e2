package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/intercept"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// movedAtOnce is how many messages one step redrives, replays or prunes.
const movedAtOnce = 1000

// ErrNoOrigin is matched by a LeftError of messages that name no other queue as their
// origin.
var ErrNoOrigin = errors.New("no queue to go back to")

// LeftError is the error of Redrive for messages that had nowhere to go. All others
// were moved. It matches [ErrNoOrigin], [queue.ErrNoQueue] or both, and its text
// has the reasons, with the names of missing queues.
type LeftError struct {
	// Messages is how many stay where they are.
	Messages int64

	reasons []error
}

func (e *LeftError) Error() string {
	texts := make([]string, len(e.reasons))
	for i, err := range e.reasons {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the reasons.
func (e *LeftError) Unwrap() []error { return e.reasons }

// Redrive moves dead letters from the queue from back to the queues that handle them:
// every message that is visible and was there when Redrive began, oldest first. It
// returns how many were moved. Each becomes a new message, whose reads begin anew.
// The header x-pgmq-dead-letter stays, so that a handler sees the earlier failure, and
// the first time of sending is kept if the message dies again.
//
// Without [To] each message goes to the queue that it died in, which that header
// names; those of several queues may be mixed. A message stays where it is when it
// has no such header, when it died in from itself, or when its queue is gone.
// Redrive moves all the others and then returns a [*LeftError]. The header is data:
// a role that may send to from can set it. With To all go to one queue, regardless of
// the header.
//
// Redrive moves up to 1,000 messages a step, each in a statement that takes it
// from one queue and puts it into the other. After an interruption every message
// is in one of the queues, and another call goes on. Two at once share the work.
// In a transaction it is all or nothing.
//
// Errors besides those: [queue.ErrInvalidName], [queue.ErrInvalidOption],
// [queue.ErrNoSchema], errors of pgx, and ctx's cause. With an error the number
// is that of the statements that succeeded; a statement that was cut off may have been
// done as well.
func Redrive(ctx context.Context, conn queue.DB, from string, opts ...RedriveOption) (int64, error) {
	source, err := table.Open(conn, from)
	if err != nil {
		return 0, err
	}
	r := redrive{source: source}
	if err := option.Apply(&r.redriveOptions, opts, RedriveOption.applyRedrive); err != nil {
		return 0, source.Fail("redrive", err)
	}
	doing := "redrive"
	if r.to != "" {
		doing = fmt.Sprintf("redrive to %q", r.to)
	}
	op := &queue.Operation{Kind: queue.OpRedrive, Queue: from}
	err = intercept.Run(ctx, r.interceptors, op, func(ctx context.Context) error {
		err := r.run(ctx)
		op.Count = int(r.moved)
		if err != nil {
			return source.Fail(doing, err)
		}
		return nil
	})
	return r.moved, err
}

// redrive is one call of Redrive.
type redrive struct {
	redriveOptions
	source table.Bound
	key    string    // the source's table
	began  time.Time // by the server's clock
	due    time.Time // when the next step may begin, at this rate
	moved  int64
}

func (r *redrive) run(ctx context.Context) (err error) {
	if r.key, err = tableOf(ctx, r.source); err != nil {
		return err
	}
	target := r.source
	if r.to != "" {
		if target, err = r.target(ctx); err != nil {
			return err
		}
	}
	if r.began, err = table.Ask(ctx, r.source.Printed, queries.Now); err != nil {
		return err
	}
	r.due = time.Now()
	if r.to == "" {
		return r.toOrigins(ctx)
	}
	for {
		n, err := r.move(ctx, target, r.ids)
		if err != nil || n == 0 {
			return err
		}
		if err := r.pause(ctx, n); err != nil {
			return err
		}
	}
}

// target returns the queue of To.
func (r *redrive) target(ctx context.Context) (table.Bound, error) {
	target, err := table.Open(r.source.Conn, r.to)
	if err != nil {
		return target, err
	}
	key, err := tableOf(ctx, target)
	if err == nil && key == r.key {
		err = option.Invalid("To is the same queue")
	}
	return target, err
}

// atOnce is how many messages a step moves: all that it may, or about ten steps
// a second.
func (r *redrive) atOnce() int {
	if r.rate > 0 {
		return int(min(max(r.rate/10, 1), movedAtOnce))
	}
	return movedAtOnce
}

// move moves messages of these ids, or of any, in one statement.
func (r *redrive) move(ctx context.Context, target table.Bound, ids []int64) (int, error) {
	moved, err := table.Run(ctx, r.source.Conn, queries.Redrive, db.RedriveParams{
		Source: r.source.Name, Target: target.Name, N: int32(r.atOnce()), //nolint:gosec // 1,000 at most
		OnlyIDs: ids, Body: r.body, Reason: r.reason, Until: &r.began,
	})
	if err != nil {
		return 0, err
	}
	if len(moved) > 0 {
		r.moved += int64(len(moved))
		r.progress.at(r.moved)
	}
	return len(moved), nil
}

// pause keeps to the rate after n messages.
func (r *redrive) pause(ctx context.Context, n int) error {
	if r.rate == 0 {
		return nil
	}
	r.due = r.due.Add(time.Duration(float64(n) / r.rate * float64(time.Second)))
	select {
	case <-time.After(time.Until(r.due)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tableOf returns the name of a queue's table, which two spellings of a queue's
// name share; without one the error is ErrNoQueue or ErrNoSchema.
func tableOf(ctx context.Context, b table.Bound) (string, error) {
	row, err := table.Ask(ctx, b.DB, queries.Find)
	if err != nil || row.Found {
		return row.Name, err
	}
	if _, err := table.Run(ctx, b.Printed, queries.Listed, b.Name); errors.Is(explainCatalogue(err), pgerr.ErrNoSchema) {
		return "", explainCatalogue(err)
	}
	return "", fmt.Errorf(`%w %q: create it with admin.Create or "pgmq queue create"`, pgerr.ErrNoQueue, b.Name)
}
