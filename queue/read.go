package queue

import (
	"context"
	"errors"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/table"
)

// Read hides up to n visible messages from other readers for the visibility timeout
// and returns them, oldest first. It returns fewer, or none and no error, when there
// are not as many. The options are [VT], by default 30 s, and [WaitFor], by default
// no waiting.
//
// A message comes back, with Reads one higher, unless it is deleted or archived in
// time. A read in a transaction that rolls back does not count.
//
// Errors: [ErrInvalidOption], also for n below 1; [ErrNoQueue]; errors of pgx; a
// [*DecodeError] for each message whose body does not decode into T; and a
// [*FetchError] for each that could not be fetched. With these two Read returns both,
// the other messages and the error. Such a message comes back as well; DeleteID or
// ArchiveID removes it. In a transaction a message that the server cannot write out
// fails the whole Read.
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
	var unfetched []error
	err = generics.Poll(ctx, o.wait, func(ctx context.Context) (bool, error) {
		rows, unfetched, err = q.readRows(ctx, limit, o.vt)
		return len(rows)+len(unfetched) > 0, err
	})
	if err != nil {
		return nil, err
	}
	msgs, undecoded := q.messages(rows, q.message)
	return msgs, errors.Join(append(undecoded, unfetched...)...)
}

// readRows reads up to n messages, oldest first, with an error for each that could
// not be fetched.
func (c core) readRows(ctx context.Context, n int32, vt time.Duration) (msgs []db.Message, unfetched []error, err error) {
	on, release, err := c.reserve(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	alone := table.Alone(on)
	lasting := vt > 0 && alone // otherwise the messages read may still become visible
	var found []fetch.Row
	reader := c.lowWater()
	err = reader.Read(int(n), func(first int64, n int) (int, time.Duration, error) {
		rows, apart, err := narrowed(alone, func(apart int32) ([]db.ReadRow, error) {
			return table.Run(ctx, c.bound.Table.Indexed(on), queries.Read, db.ReadParams{VT: vt, First: first, N: int32(n), Apart: apart})
		})
		if err != nil {
			return 0, 0, err
		}
		now := fetch.Read(rows, apart)
		if lasting {
			reader.Note(rows, len(now) < n)
		}
		found = append(found, now...)
		return len(now), scan.Took(rows[0].Took), nil
	})
	if len(found) > 0 {
		err = nil // they are hidden now, and must be returned
	}
	msgs, unfetched = c.whole(found, func(r fetch.Row) (db.Message, error) {
		ctx, cancel := fetch.Limited(ctx)
		defer cancel()
		return fetch.Held(ctx, c.bound.Table.Indexed(on), r.Message)
	})
	return msgs, unfetched, err
}

// narrowed is fetch.Narrowed where a statement that failed can be repeated: in a
// transaction it cannot.
func narrowed[R any](alone bool, find func(apart int32) ([]R, error)) (found []R, apart int32, err error) {
	if alone {
		return fetch.Narrowed(find)
	}
	found, err = find(fetch.Large)
	return found, fetch.Large, err
}

// whole returns the messages of rows, with an error for each that could not be
// fetched.
func (c core) whole(rows []fetch.Row, body func(fetch.Row) (db.Message, error)) (msgs []db.Message, unfetched []error) {
	msgs, failed := fetch.Each(rows, body)
	for _, f := range failed {
		unfetched = append(unfetched, (*FetchError)(f))
	}
	return msgs, unfetched
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

func limitOf(n int) (int32, error) {
	const most = 1 << 30
	if n < 1 || n > most {
		return 0, option.Invalid("n is %d, not 1 to %d", n, most)
	}
	return int32(n), nil
}
