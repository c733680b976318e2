package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Pop removes up to n of the oldest visible messages and returns them, oldest first.
// They are delivered at most once: they are gone if the caller dies, and there is
// nothing to settle afterwards. It returns fewer, or none and no error, when there
// are not as many. Their Reads count the reads before.
//
// Errors: [ErrInvalidOption] for n below 1, [ErrNoQueue], what pgx returns, and a
// [*DecodeError] for each message whose body does not decode into T, which Pop puts
// into the archive. With decode errors Pop returns both, as Read does.
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
	rows, err := q.popRows(ctx, limit)
	if err != nil {
		return nil, err
	}
	var unarchived []error
	msgs, undecoded := q.messages(rows, func(row db.Message) (*Message[T], error) {
		m, err := q.unread(row)
		if err != nil {
			unarchived = append(unarchived, q.archivePopped(ctx, row))
		}
		return m, err
	})
	return msgs, errors.Join(errors.Join(undecoded...), errors.Join(unarchived...))
}

// popRows removes up to n visible messages, oldest first.
func (c core) popRows(ctx context.Context, n int32) ([]db.Message, error) {
	on, release, err := c.reserve(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var msgs []db.Message
	err = c.reader.Read(int(n), func(first int64, n int) (int, error) {
		rows, err := table.Run(ctx, c.bound.Table.Indexed(on), queries.Pop, db.PopParams{First: first, N: int32(n)})
		msgs = append(msgs, rows...)
		return len(rows), err
	})
	if len(msgs) > 0 {
		err = nil // they are gone from the queue, and must be returned
	}
	sortByID(msgs)
	return msgs, err
}

// archivePopped archives a popped message, even when ctx has just ended: it is
// nowhere else.
func (c core) archivePopped(ctx context.Context, row db.Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := table.Repeat(ctx, c.bound.DB, func() error {
		return queries.ArchivePopped(ctx, c.bound.DB, db.ArchivePoppedParams(row))
	})
	if err != nil {
		return fmt.Errorf("and message %d could not be archived: %w", row.MsgID, err)
	}
	return nil
}
