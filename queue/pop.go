package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Pop removes up to n of the oldest visible messages and returns them, oldest first.
// They are delivered at most once: they are gone if the caller dies, and there is
// nothing to settle afterwards. It returns fewer, or none and no error, when there
// are not as many. Their Reads count the reads before.
//
// Errors: [ErrInvalidOption] for n below 1, [ErrNoQueue], errors of pgx, a
// [*DecodeError] for each message whose body does not decode into T, and a
// [*FetchError] for each message that the server cannot write out. Pop puts the latter
// into the archive. One for which time or memory was short has a [*FetchError] too; it
// stays in the queue, hidden for 30 s. With these Pop returns both, the other messages
// and the error.
func (q *Queue[T]) Pop(ctx context.Context, n int) ([]*Message[T], error) {
	var msgs []*Message[T]
	op := &Operation{Kind: OpPop}
	err := q.around(ctx, op, func(ctx context.Context) (err error) {
		msgs, err = q.pop(ctx, n)
		deliver(op, msgs)
		return err
	})
	if err != nil {
		return msgs, q.fail("pop", err)
	}
	return msgs, nil
}

func (q *Queue[T]) pop(ctx context.Context, n int) ([]*Message[T], error) {
	limit, err := limitOf(n)
	if err != nil {
		return nil, err
	}
	rows, unfetched, err := q.popRows(ctx, limit)
	if err != nil {
		return nil, err
	}
	unarchived := unfetched
	msgs, undecoded := q.messages(rows, func(row db.Message) (*Message[T], error) {
		m, err := q.unread(row)
		if err != nil {
			unarchived = append(unarchived, q.archivePopped(ctx, row))
		}
		return m, err
	})
	return msgs, errors.Join(errors.Join(undecoded...), errors.Join(unarchived...))
}

// popRows removes up to n visible messages, oldest first, and returns an error for
// each that could not be fetched.
func (c core) popRows(ctx context.Context, n int32) (msgs []db.Message, unfetched []error, err error) {
	on, release, err := c.reserve(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	alone := table.Alone(on)
	err = c.lowWater().Read(int(n), func(first int64, n int) (int, time.Duration, error) {
		rows, err := table.Run(ctx, c.bound.Table.Indexed(on), queries.Pop, db.PopParams{First: first, N: int32(n)})
		if err != nil && alone && fetch.OfRow(err) {
			popped, failed, err := c.popEach(ctx, on, first, int32(n))
			msgs, unfetched = append(msgs, popped...), append(unfetched, failed...)
			return len(popped) + len(failed), 0, err
		}
		if err != nil {
			return 0, 0, err
		}
		found := 0
		for _, r := range rows {
			if r.Found {
				found++
				msgs = append(msgs, db.Message{
					MsgID: r.MsgID, ReadCt: r.ReadCt, EnqueuedAt: r.EnqueuedAt, LastReadAt: r.LastReadAt,
					VT: r.VT, Message: r.Message, Headers: r.Headers,
				})
			}
		}
		return found, scan.Took(rows[0].Took), nil
	})
	if len(msgs)+len(unfetched) > 0 {
		err = nil // they are gone from the queue, and must be returned
	}
	slices.SortFunc(msgs, func(a, b db.Message) int { return cmp.Compare(a.MsgID, b.MsgID) })
	return msgs, unfetched, err
}

// popEach pops messages one by one, as the server cannot write one of them out. It
// puts this one into the archive, as it is stored.
func (c core) popEach(ctx context.Context, on table.Conn, first int64, n int32) (msgs []db.Message, unfetched []error, err error) {
	indexed := c.bound.Table.Indexed(on)
	rows, err := table.Run(ctx, indexed, queries.Read, db.ReadParams{VT: defaultVT, First: first, N: n, Apart: fetch.All})
	if err != nil {
		return nil, nil, err
	}
	msgs, unfetched = c.whole(fetch.Read(rows, fetch.All), func(r fetch.Row) (db.Message, error) {
		_, held := receipt.Sorted([]db.Message{r.Message}, func(m db.Message) (int64, receipt.Receipt) { return m.MsgID, receipt.Of(&m) })
		m, err := fetch.Held(ctx, indexed, r.Message)
		switch {
		case err == nil:
			m.ReadCt-- // the reads before
			var ids []int64
			if ids, err = table.Run(ctx, indexed, queries.Delete, db.DeleteParams(held)); err == nil && len(ids) == 0 {
				err = fetch.ErrGone
			}
		case pgerr.Divisible(err), pgerr.Damaged(err):
			_, failed := table.Run(ctx, indexed, queries.Archive, db.ArchiveParams(held))
			err = errors.Join(err, failed)
		}
		return m, err
	})
	return msgs, unfetched, nil
}

// archivePopped archives a popped message, even when ctx has just ended, because the
// message is in no table any more.
func (c core) archivePopped(ctx context.Context, row db.Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	n, err := table.Run(ctx, c.bound.DB, queries.ArchivePopped, db.ArchivePoppedParams(row))
	if err == nil && n == 0 {
		err = ErrNotStored
	}
	if err != nil {
		return fmt.Errorf("and message %d could not be archived: %w", row.MsgID, err)
	}
	return nil
}
