package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Read hides up to n visible messages from other readers for the visibility
// timeout and returns them, oldest first; fewer, or none and no error, when
// there are not as many. The options are [VT], by default 30 s, and [Wait], by
// default no waiting.
//
// A message comes back, with Reads one higher, unless it is deleted or archived
// in time. In a transaction that rolls back it was never read.
//
// Errors: [ErrOption], also for n below 1; [ErrNoQueue]; what pgx returns; and a
// [*DecodeError] for each message whose body is no T, beside the messages whose
// body is: Read then returns both. Such a message comes back as well; remove it
// with DeleteID or ArchiveID.
func (q *Queue[T]) Read(ctx context.Context, n int, opts ...ReadOption) ([]*Message[T], error) {
	msgs, err := q.read(ctx, n, opts)
	if err != nil {
		return msgs, q.fail("read", err)
	}
	return msgs, nil
}

func (q *Queue[T]) read(ctx context.Context, n int, opts []ReadOption) ([]*Message[T], error) {
	o, err := readOptionsOf(opts)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(n)
	if err != nil {
		return nil, err
	}
	var rows []db.Message
	err = generics.Poll(ctx, o.wait, func(ctx context.Context) (bool, error) {
		rows, err = q.readRows(ctx, limit, o.vt)
		return len(rows) > 0, err
	})
	if err != nil {
		return nil, err
	}

	msgs := make([]*Message[T], 0, len(rows))
	var undecoded []error
	for _, row := range rows {
		m, err := q.message(row)
		if err != nil {
			undecoded = append(undecoded, err)
			continue
		}
		msgs = append(msgs, m)
	}
	return msgs, errors.Join(undecoded...)
}

// readRows reads up to n messages, oldest first.
func (h handle) readRows(ctx context.Context, n int32, vt time.Duration) ([]db.Message, error) {
	var msgs []db.Message
	on, release, err := h.reserve(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	lasting := vt > 0 && table.Alone(on) // else what was read may be visible still
	err = h.floor.read(int(n), func(first int64, n int) (int, error) {
		rows, err := queries.Read(ctx, h.table.Indexed(on), db.ReadParams{VT: vt, First: first, N: int32(n)})
		if lasting {
			h.floor.note(rows, len(rows) < n)
		}
		msgs = append(msgs, messages(rows)...)
		return len(rows), err
	})
	if len(msgs) > 0 {
		err = nil // they are hidden now, and must be returned
	}
	sortByID(msgs)
	return msgs, err
}

// reserve returns what to read on: of a pool one connection, so that waiting for
// it does not count as time that reading takes.
func (h handle) reserve(ctx context.Context) (on DB, release func(), err error) {
	pool := h.pool()
	if pool == nil {
		return h.source, func() {}, nil
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	return conn, conn.Release, nil
}

func sortByID(msgs []db.Message) {
	slices.SortFunc(msgs, func(a, b db.Message) int { return cmp.Compare(a.MsgID, b.MsgID) })
}

func limitOf(n int) (int32, error) {
	const most = 1 << 30
	if n < 1 || n > most {
		return 0, fmt.Errorf("%w: n is %d, not 1 to %d", ErrOption, n, most)
	}
	return int32(n), nil
}

// Pop removes the oldest visible message and returns it: at most once, for it is
// gone if the caller dies. There is nothing to settle afterwards. Its Reads
// counts the reads before.
//
// Errors: [ErrEmpty] when no message is visible, [ErrNoQueue], what pgx returns,
// and [*DecodeError]: a message whose body is no T is put into the archive.
func (q *Queue[T]) Pop(ctx context.Context) (*Message[T], error) {
	m, err := q.pop(ctx)
	if err != nil {
		return nil, q.fail("pop", err)
	}
	return m, nil
}

func (q *Queue[T]) pop(ctx context.Context) (*Message[T], error) {
	rows, err := q.popRow(ctx)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrEmpty
	}
	m, err := q.message(rows[0])
	if err != nil {
		return nil, errors.Join(err, q.bury(ctx, rows[0]))
	}
	return m, nil
}

// popRow removes the oldest visible message, if there is one.
func (h handle) popRow(ctx context.Context) (rows []db.Message, err error) {
	on, release, err := h.reserve(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	err = h.floor.read(1, func(first int64, n int) (int, error) {
		rows, err = queries.Pop(ctx, h.table.Indexed(on), db.PopParams{First: first, N: int32(n)})
		return len(rows), err
	})
	return rows, err
}

// bury archives a popped message, even when ctx has just ended: it is nowhere
// else.
func (q *Queue[T]) bury(ctx context.Context, row db.Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := queries.Bury(ctx, q.db, db.BuryParams(row))
	if err != nil {
		return fmt.Errorf("and it could not be archived: %w", err)
	}
	return nil
}
