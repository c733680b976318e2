package queue

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/table"
)

// DB is where a queue is: a *[pgxpool.Pool], a *[pgx.Conn], a [pgx.Tx], or a type
// that embeds one of them. A queue is safe for concurrent use if its DB is: a pool
// is, a connection and a transaction are not.
//
// [pgxpool.Pool]: https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#Pool
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Queue sends and receives messages whose bodies are T, as JSON.
type Queue[T any] struct {
	core
	codec generics.JSON[T]
}

// New returns the queue of that name. It does not touch the database: on a queue
// that was never created, the first call returns [ErrNoQueue]. The options are
// [Observe], [Intercept] and [SessionPerCaller].
//
// Make one Queue for a name and a pool, and share it. Concurrent Sends share
// statements only through the same Queue, and Reads share their knowledge of a long
// queue. Consumers share one listening connection for a pool in any case. Where
// a session of the pool depends on its caller, they share none of this: see
// [SessionPerCaller].
//
// A name has 1 to 47 characters and at most 61 bytes. It must not contain $, ;, ',
// -- or NUL; capitals, spaces, quotes and Unicode are fine. Capitals do not count:
// "Orders" and "orders" are one queue. The error is [ErrInvalidName] for any other
// name, and [ErrInvalidOption] for a conn that is nil or that hides its connection.
func New[T any](conn DB, name string, opts ...Option) (*Queue[T], error) {
	bound, err := table.Open(conn, name)
	if err != nil {
		return nil, err
	}
	c := core{reader: &scan.Reader{}}
	if err := option.Apply(&c, opts, Option.applyNew); err != nil {
		return nil, bound.Fail("open", err)
	}
	return &Queue[T]{core: c.on(bound)}, nil
}

// WithTx returns the same queue in a transaction: its sends, reads and settlings take
// effect when tx commits, and have no effect when tx rolls back. It must not be
// used after tx has ended.
func (q *Queue[T]) WithTx(tx DB) *Queue[T] {
	return &Queue[T]{core: q.on(q.bound.On(tx)), codec: q.codec}
}

// Name returns the name that was given to New.
func (q *Queue[T]) Name() string { return q.bound.Name }
