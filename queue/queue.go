package queue

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/table"
)

// DB is where a queue lives: a *[pgxpool.Pool], a *[pgx.Conn] or a [pgx.Tx].
// A queue is safe for concurrent use exactly when its DB is: a pool is, a
// connection and a transaction are not.
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
	handle
	codec generics.JSON[T]
}

// New returns the queue of that name. It does not touch the database; a queue
// that was never created is [ErrNoQueue] at the first call.
//
// A name has 1 to 47 characters and at most 61 bytes, without $, ;, ', -- and
// NUL. Anything else goes: capitals (which do not count: "Orders" and "orders"
// are one queue), spaces, quotes, Unicode. A name that cannot be is [ErrName].
func New[T any](db DB, name string) (*Queue[T], error) {
	h, err := open(db, name)
	if err != nil {
		return nil, err
	}
	return &Queue[T]{handle: h}, nil
}

// WithTx returns the same queue in a transaction: what it sends, reads and
// settles becomes real when tx commits, and never was when tx rolls back.
// It must not be used after tx has ended.
func (q *Queue[T]) WithTx(tx pgx.Tx) *Queue[T] {
	return &Queue[T]{handle: q.on(tx), codec: q.codec}
}

// Name returns the name that was given to New.
func (q *Queue[T]) Name() string { return q.name }

// handle is a queue without its T: one name, its tables, and where they are.
type handle struct {
	name     string
	table    *table.Table
	source   DB      // the pool, connection or transaction itself
	db       db.DBTX // runs queries on it, against the tables of this queue
	indexed  db.DBTX // the same for those that look for messages
	floor    *readFloor
	sender   *sender // of a pool; nil on a connection or a transaction
	observer Observer
}

func open(db DB, name string) (handle, error) {
	if err := table.CheckName(name); err != nil {
		return handle{}, fmt.Errorf("queue %q: %w: %w", name, ErrName, err)
	}
	h := handle{name: name, table: table.New(name), floor: &readFloor{}}
	if db == nil {
		return handle{}, h.fail("open", fmt.Errorf("%w: the database is nil", ErrOption))
	}
	return h.on(db), nil
}

// on returns the handle with its queries bound to another pool, connection or
// transaction.
func (h handle) on(db DB) handle {
	h.source, h.db, h.indexed, h.sender = db, h.table.Bind(db), h.table.Indexed(db), nil
	if h.pool() != nil {
		h.sender = newSender(h.db)
	}
	return h
}

// fail says where err happened, and what it means.
func (h handle) fail(op string, err error) error {
	return fmt.Errorf("queue %q: %s: %w", h.name, op, explain(err))
}

// queries are the generated queries; they carry no state.
var queries = db.New()
