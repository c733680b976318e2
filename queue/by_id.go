package queue

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
)

// DeleteID removes messages by id, as PGMQ does, and returns the ids of the removed
// messages, in no order. It leaves out messages that a trigger or a policy of the table
// kept. It ignores receipts: it takes a message from any holder. Errors: [ErrNoQueue]
// and errors of pgx.
func (q *Queue[T]) DeleteID(ctx context.Context, ids ...int64) ([]int64, error) {
	return q.byID(ctx, OpDelete, ids, func(ctx context.Context) ([]int64, error) {
		return table.Run(ctx, q.bound.Indexed, queries.DeleteID, ids)
	})
}

// ArchiveID moves messages to the archive by id, all of them or, with an error that
// matches [ErrNotStored], none. Like DeleteID, it ignores receipts,
// returns the ids of those that existed, and has the same errors.
func (q *Queue[T]) ArchiveID(ctx context.Context, ids ...int64) ([]int64, error) {
	return q.byID(ctx, OpArchive, ids, func(ctx context.Context) ([]int64, error) {
		return table.Run(ctx, q.bound.Indexed, queries.ArchiveID, ids)
	})
}

// SetVTID hides messages by id for vt from now on. Like DeleteID, it ignores
// receipts, returns the ids of those that existed, and has the same errors; the
// receipts of the messages' holders stay good. A vt of 0 makes them visible, one
// below 0 is [ErrInvalidOption].
func (q *Queue[T]) SetVTID(ctx context.Context, vt time.Duration, ids ...int64) ([]int64, error) {
	if err := checkHidden(vt); err != nil {
		return nil, q.fail("set vt by id", err)
	}
	existed, err := q.byID(ctx, OpSetVT, ids, func(ctx context.Context) ([]int64, error) {
		return table.Run(ctx, q.bound.Indexed, queries.SetVTID, db.SetVTIDParams{VT: vt, MsgIDs: ids})
	})
	if err == nil && len(existed) > 0 {
		err = q.dueIn(ctx, "set vt by id", vt)
	}
	return existed, err
}

// byID runs do with interceptors around it. Without ids it does nothing.
func (c core) byID(
	ctx context.Context, kind OperationKind, ids []int64, do func(context.Context) ([]int64, error),
) (existed []int64, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	op := &Operation{Kind: kind, Count: len(ids), IDs: ids}
	err = c.around(ctx, op, func(ctx context.Context) (err error) {
		existed, err = do(ctx)
		return err
	})
	if err != nil {
		return nil, c.fail(string(kind)+" by id", err)
	}
	return existed, nil
}
