package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Delete removes messages that were read, because they are done.
//
// It checks each message's receipt. A message that another reader has taken since,
// or that is gone, stays as it is and is named by a [*LeaseLostError], which matches
// [ErrLeaseLost]; the others are removed all the same. A lease that has ended is
// still good while nobody else has read the message. A message that stays though its
// receipt holds, because of a trigger or a policy of the table, is named by a
// [*NotStoredError]. Other errors are [ErrNoQueue] and errors of pgx. No messages are
// no error.
func (q *Queue[T]) Delete(ctx context.Context, msgs ...*Message[T]) error {
	return q.settle(ctx, OpDelete, msgs, func(ctx context.Context, r receipt.List) ([]int64, error) {
		return table.Run(ctx, q.bound.Indexed, queries.Delete, db.DeleteParams(r))
	})
}

// Archive moves messages that were read to the archive, where they keep their ids.
// When the archive does not store one of them, all stay, and the error matches
// [ErrNotStored]. Like Delete, it checks each message's receipt and returns the same
// errors.
func (q *Queue[T]) Archive(ctx context.Context, msgs ...*Message[T]) error {
	return q.settle(ctx, OpArchive, msgs, func(ctx context.Context, r receipt.List) ([]int64, error) {
		return table.Run(ctx, q.bound.Indexed, queries.Archive, db.ArchiveParams(r))
	})
}

// SetVT hides messages that were read for vt from now on, and updates their
// VisibleAt: longer, to keep the lease, or 0, to give them back at once. A vt below
// 0 is [ErrInvalidOption]. Like Delete, it checks each message's receipt and returns
// the same errors.
func (q *Queue[T]) SetVT(ctx context.Context, vt time.Duration, msgs ...*Message[T]) error {
	if err := checkHidden(vt); err != nil {
		return q.fail(string(OpSetVT), err)
	}
	sooner := false
	err := q.settle(ctx, OpSetVT, msgs, func(ctx context.Context, r receipt.List) ([]int64, error) {
		rows, err := table.Run(ctx, q.bound.Indexed, queries.SetVT, db.SetVTParams{
			VT:          vt,
			MsgIDs:      r.MsgIDs,
			ReadCts:     r.ReadCts,
			LastReadAts: r.LastReadAts,
		})
		var ids []int64
		visibleAt := make(map[int64]time.Time, len(rows))
		for _, row := range rows {
			ids = append(ids, row.MsgID)
			visibleAt[row.MsgID] = row.VT
		}
		for _, m := range msgs {
			if at, ok := visibleAt[m.ID]; ok {
				sooner = sooner || at.Before(m.VisibleAt)
				m.VisibleAt = at
			}
		}
		return ids, err
	})
	if sooner && err == nil {
		err = q.dueIn(ctx, string(OpSetVT), vt)
	}
	return err
}

// dueIn has consumers scan again when a message falls due sooner than they know.
func (c core) dueIn(ctx context.Context, op string, vt time.Duration) error {
	c.reader.Restart()
	if vt >= scan.QuietInterval {
		return nil // they scan before it is due
	}
	// Only a hint, as consumers scan in any case; but an error fails a transaction.
	if err := queries.Notify(ctx, c.bound.DB); err != nil && !table.Alone(c.bound.DB) {
		return c.fail(op, err)
	}
	return nil
}

// settle runs do with interceptors around it. do returns the ids whose receipts held;
// settle reports the other messages.
func (q *Queue[T]) settle(
	ctx context.Context, kind OperationKind, msgs []*Message[T], do func(context.Context, receipt.List) ([]int64, error),
) error {
	if len(msgs) == 0 {
		return nil
	}
	op := &Operation{Kind: kind, Count: len(msgs), IDs: ids(msgs)}
	err := q.around(ctx, op, func(ctx context.Context) error {
		var unread []int64
		for _, m := range msgs {
			if m == nil {
				return option.Invalid("a message is nil")
			}
			if m.receipt == (receipt.Receipt{}) {
				unread = append(unread, m.ID)
			}
		}
		_, r := receipt.Sorted(msgs, func(m *Message[T]) (int64, receipt.Receipt) { return m.ID, m.receipt })
		held, err := do(ctx, r)
		if err != nil {
			return err
		}
		if lost := receipt.Without(r.MsgIDs, held); len(lost) > 0 {
			return q.notSettled(ctx, lost, receipt.Without(unread, held), r)
		}
		return nil
	})
	if err != nil {
		return q.fail(string(kind), err)
	}
	return nil
}

// notSettled finds out why messages were not settled: they are gone, they were read
// again, they have no receipt, or they are unchanged.
func (c core) notSettled(ctx context.Context, lost, unread []int64, r receipt.List) error {
	rows, err := table.Run(ctx, c.bound.Indexed, queries.Existing, db.ExistingParams{MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts})
	if err != nil {
		return &LeaseLostError{IDs: lost, Unread: unread} // all that is known
	}
	var there, kept []int64
	for _, row := range rows {
		there = append(there, row.MsgID)
		if row.Held && slices.Contains(lost, row.MsgID) {
			kept = append(kept, row.MsgID)
		}
	}
	var errs []error
	if len(kept) > 0 {
		errs = append(errs, &NotStoredError{IDs: kept, Err: ErrNotStored})
	}
	if lost := receipt.Without(lost, kept); len(lost) > 0 {
		errs = append(errs, &LeaseLostError{IDs: lost, Gone: receipt.Without(lost, there), Unread: unread})
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
