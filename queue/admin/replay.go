package admin

import (
	"context"
	"math"
	"slices"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/intercept"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// Replay moves messages from the archive of a queue back to the queue, as new
// messages, by rising ids. Their headers stay, their reads begin anew. Without
// [IDs], [Since] or [Until] it moves everything that was in the archive when
// Replay began. It returns how many were moved.
//
// Each step moves up to 1,000 messages in one statement. After an interruption
// every message is either in the archive or in the queue, and another call goes on
// with the archive. Two at once share the work. In a transaction it is all or
// nothing.
//
// Errors: [queue.ErrInvalidName], [queue.ErrInvalidOption], also for IDs together
// with Since or Until, [queue.ErrNoQueue], ctx's, and errors of pgx. With an
// error the number is that of the steps that succeeded; a step that was cut off may
// have been done as well.
func Replay(ctx context.Context, conn queue.DB, name string, opts ...ReplayOption) (int64, error) {
	b, err := table.Open(conn, name)
	if err != nil {
		return 0, err
	}
	r := replay{queue: b}
	err = option.Apply(&r.replayOptions, opts, ReplayOption.applyReplay)
	if err == nil && r.ids != nil && (r.since != nil || r.until != nil) {
		err = option.Invalid("IDs excludes Since and Until")
	}
	if err != nil {
		return 0, b.Fail("replay", err)
	}
	op := &queue.Operation{Kind: queue.OpReplay, Queue: name}
	err = intercept.Run(ctx, r.interceptors, op, func(ctx context.Context) error {
		err := r.run(ctx)
		op.Count = int(r.moved)
		if err != nil {
			return b.Fail("replay", err)
		}
		return nil
	})
	return r.moved, err
}

// replay is one call of Replay.
type replay struct {
	replayOptions
	queue table.Bound
	moved int64
}

func (r *replay) run(ctx context.Context) error {
	if r.ids == nil {
		return r.all(ctx)
	}
	for ids := range slices.Chunk(r.ids, movedAtOnce) {
		if err := r.move(ctx, ids); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) move(ctx context.Context, ids []int64) error {
	moved, err := table.Run(ctx, r.queue.DB, queries.Replay, db.ReplayParams{MsgIDs: ids, Alone: table.Alone(r.queue.DB)})
	if err != nil {
		return err
	}
	r.moved += moved
	r.progress.at(r.moved)
	return nil
}

// all moves the messages archived in the given time.
func (r *replay) all(ctx context.Context) error {
	page := db.ArchivedIDsParams{ToID: math.MaxInt64, Since: r.since, Until: r.until, N: movedAtOnce}
	if r.since != nil || r.until != nil {
		span, err := table.Run(ctx, r.queue.DB, queries.ArchivedSpan, db.ArchivedSpanParams{Since: r.since, Until: r.until})
		if err != nil {
			return err
		}
		page.FromID, page.ToID = span.Lowest, span.Highest
	}
	began, err := table.Ask(ctx, r.queue.Printed, queries.Now)
	if err != nil {
		return err
	}
	// Messages that are done and archived again meanwhile stay in the archive.
	if page.Until == nil || page.Until.After(began) {
		page.Until = &began
	}
	for {
		ids, err := table.Run(ctx, r.queue.DB, queries.ArchivedIDs, page)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := r.move(ctx, ids); err != nil {
			return err
		}
		page.FromID = ids[len(ids)-1] + 1
	}
}
