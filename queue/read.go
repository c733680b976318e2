package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/engine"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Read hides up to n visible messages from other readers for the visibility timeout
// and returns them, oldest first. It returns fewer, or none and no error, when there
// are not as many. The options are [VT], by default 30 s, and [WaitFor], by default
// no waiting.
//
// A message comes back, with Reads one higher, unless it is deleted or archived in
// time. In a transaction that rolls back it was never read.
//
// Errors: [ErrInvalidOption], also for n below 1; [ErrNoQueue]; what pgx returns; and
// a [*DecodeError] for each message whose body does not decode into T. With decode
// errors Read returns both, the other messages and the error. A message that does
// not decode comes back as well; DeleteID or ArchiveID removes it.
func (q *Queue[T]) Read(ctx context.Context, n int, opts ...ReadOption) ([]*Message[T], error) {
	var msgs []*Message[T]
	op := &Operation{Kind: OpRead}
	err := q.around(ctx, op, func(ctx context.Context) (err error) {
		msgs, err = q.read(ctx, n, opts)
		deliver(op, msgs)
		return err
	})
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
	msgs, undecoded := q.messages(rows, q.message)
	return msgs, errors.Join(undecoded...)
}

// readRows reads up to n messages, oldest first.
func (c core) readRows(ctx context.Context, n int32, vt time.Duration) ([]db.Message, error) {
	var msgs []db.Message
	on, release, err := c.reserve(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	lasting := vt > 0 && table.Alone(on) // otherwise what was read may still become visible
	err = c.reader.Read(int(n), func(first int64, n int) (int, error) {
		rows, err := table.Run(ctx, c.bound.Table.Indexed(on), queries.Read, db.ReadParams{VT: vt, First: first, N: int32(n)})
		if lasting {
			c.reader.Note(rows, len(rows) < n)
		}
		msgs = append(msgs, engine.Messages(rows)...)
		return len(rows), err
	})
	if len(msgs) > 0 {
		err = nil // they are hidden now, and must be returned
	}
	sortByID(msgs)
	return msgs, err
}

// reserve returns the connection to read on; of a pool one connection, so that the
// wait for it does not count as time of the read.
func (c core) reserve(ctx context.Context) (on table.Conn, release func(), err error) {
	pool, ok := c.bound.Pool()
	if !ok {
		return c.bound.Conn, func() {}, nil
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
		return 0, option.Invalid("n is %d, not 1 to %d", n, most)
	}
	return int32(n), nil
}
