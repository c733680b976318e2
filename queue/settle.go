package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Delete removes messages that were read, because they are done.
//
// It goes by receipt: a message that another reader has taken since, or that is
// gone, is left as it is and named by a [*LeaseLostError], which matches
// [ErrLeaseLost]; the others are removed all the same. A lease that ended is
// good for as long as nobody else has read the message. Other errors are
// [ErrNoQueue] and what pgx returns. No messages are no error.
func (q *Queue[T]) Delete(ctx context.Context, msgs ...*Message[T]) error {
	return q.settle(ctx, "delete", msgs, func(r receipts) ([]int64, error) {
		return queries.Delete(ctx, q.indexed, db.DeleteParams(r))
	})
}

// Archive moves messages that were read to the archive, where they stay with
// their ids. It goes by receipt and errs as Delete does.
func (q *Queue[T]) Archive(ctx context.Context, msgs ...*Message[T]) error {
	return q.settle(ctx, "archive", msgs, func(r receipts) ([]int64, error) {
		return queries.Archive(ctx, q.indexed, db.ArchiveParams(r))
	})
}

// SetVT hides messages that were read for vt from now on, and updates their
// VisibleAt: longer, to keep the lease, or 0, to give them back at once. A vt
// below 0 is [ErrOption]. It goes by receipt and errs as Delete does.
func (q *Queue[T]) SetVT(ctx context.Context, vt time.Duration, msgs ...*Message[T]) error {
	if err := checkHidden(vt); err != nil {
		return q.fail("set vt", err)
	}
	sooner := false
	err := q.settle(ctx, "set vt", msgs, func(r receipts) ([]int64, error) {
		rows, err := queries.SetVT(ctx, q.indexed, db.SetVTParams{
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
		err = q.dueIn(ctx, "set vt", vt)
	}
	return err
}

// dueIn has consumers look anew when a message is due sooner than they know. What
// is due later than quietTime they see before.
func (h handle) dueIn(ctx context.Context, op string, vt time.Duration) error {
	h.floor.forget()
	if vt >= quietTime {
		return nil
	}
	// Only a hint, for they will look anyhow; but it fails a transaction.
	if err := queries.Announce(ctx, h.db); err != nil && !table.Alone(h.db) {
		return h.fail(op, err)
	}
	return nil
}

// receipts are the receipts of several messages, in the order that queries ask
// for: by id, and of several of one id the latest last, which is the one that
// counts.
type receipts struct {
	MsgIDs      []int64
	ReadCts     []int32
	LastReadAts []time.Time
}

// inOrder returns what has receipts in their order, and the receipts.
func inOrder[E any](all []E, receiptOf func(E) (id int64, r receipt)) ([]E, receipts) {
	all = slices.SortedStableFunc(slices.Values(all), func(a, b E) int {
		aID, aReceipt := receiptOf(a)
		bID, bReceipt := receiptOf(b)
		return cmp.Or(
			cmp.Compare(aID, bID),
			cmp.Compare(aReceipt.reads, bReceipt.reads),
			aReceipt.at.Compare(bReceipt.at),
		)
	})
	var r receipts
	for _, one := range all {
		id, receipt := receiptOf(one)
		r.MsgIDs = append(r.MsgIDs, id)
		r.ReadCts = append(r.ReadCts, receipt.reads)
		r.LastReadAts = append(r.LastReadAts, receipt.at)
	}
	return all, r
}

// settle runs do, which returns the ids whose receipts held, and reports the others.
func (q *Queue[T]) settle(ctx context.Context, op string, msgs []*Message[T], do func(receipts) ([]int64, error)) error {
	if len(msgs) == 0 {
		return nil
	}
	var unread []int64
	for _, m := range msgs {
		if m == nil {
			return q.fail(op, fmt.Errorf("%w: a message is nil", ErrOption))
		}
		if m.receipt == (receipt{}) {
			unread = append(unread, m.ID)
		}
	}
	_, r := inOrder(msgs, func(m *Message[T]) (int64, receipt) { return m.ID, m.receipt })
	held, err := do(r)
	if err != nil {
		return q.fail(op, err)
	}
	if lost := without(r.MsgIDs, held); len(lost) > 0 {
		return q.fail(op, q.leaseLost(ctx, lost, without(unread, held)))
	}
	return nil
}

// leaseLost looks which of the lost messages, of which some were never read, are
// still there.
func (h handle) leaseLost(ctx context.Context, lost, unread []int64) error {
	there, err := queries.Existing(ctx, h.indexed, lost)
	if err != nil {
		return &LeaseLostError{IDs: lost, Unread: unread} // what is known
	}
	return &LeaseLostError{IDs: lost, Gone: without(lost, there), Unread: unread}
}

// without returns the distinct ids that are not among the others, sorted.
func without(ids, others []int64) []int64 {
	among := make(map[int64]bool, len(others))
	for _, id := range others {
		among[id] = true
	}
	left := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return among[id] })
	slices.Sort(left)
	return slices.Compact(left)
}
