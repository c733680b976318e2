package queue

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// DeleteID removes messages by id, as PGMQ does, and returns the ids of those
// that existed, in no order. It asks for no receipt: it takes a message from
// whoever holds it. Errors: [ErrNoQueue] and what pgx returns.
func (q *Queue[T]) DeleteID(ctx context.Context, ids ...int64) ([]int64, error) {
	return q.byID("delete by id", ids, func() ([]int64, error) {
		return queries.DeleteID(ctx, q.indexed, ids)
	})
}

// ArchiveID moves messages to the archive by id, under the terms of DeleteID.
func (q *Queue[T]) ArchiveID(ctx context.Context, ids ...int64) ([]int64, error) {
	return q.byID("archive by id", ids, func() ([]int64, error) {
		return queries.ArchiveID(ctx, q.indexed, ids)
	})
}

// SetVTID hides messages by id for vt from now on, under the terms of DeleteID.
// The receipts of whoever holds them stay good. A vt of 0 makes them visible, one
// below 0 is [ErrOption].
func (q *Queue[T]) SetVTID(ctx context.Context, vt time.Duration, ids ...int64) ([]int64, error) {
	if err := checkHidden(vt); err != nil {
		return nil, q.fail("set vt by id", err)
	}
	existed, err := q.byID("set vt by id", ids, func() ([]int64, error) {
		return queries.SetVTID(ctx, q.indexed, db.SetVTIDParams{VT: vt, MsgIDs: ids})
	})
	if err == nil && len(existed) > 0 {
		err = q.dueIn(ctx, "set vt by id", vt)
	}
	return existed, err
}

// byID runs do unless there is nothing to do.
func (h handle) byID(op string, ids []int64, do func() ([]int64, error)) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	existed, err := do()
	if err != nil {
		return nil, h.fail(op, err)
	}
	return existed, nil
}
