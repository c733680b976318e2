package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// queries are the generated queries; they carry no state.
var queries = db.New()

// CreateOption is an option of Create: a [Storage].
type CreateOption interface {
	applyCreate(o *createOptions) error
}

// Storage is how durable a queue's table is. The default is Logged.
type Storage int

const (
	// Logged queues survive a crash of the server.
	Logged Storage = iota
	// Unlogged queues are faster, but a crash of the server empties them and
	// standbys do not have them. Their archive is logged.
	Unlogged
)

func (s Storage) String() string {
	switch s {
	case Logged:
		return "logged"
	case Unlogged:
		return "unlogged"
	}
	return fmt.Sprintf("Storage(%d)", int(s))
}

type createOptions struct {
	storage *Storage // nil for the default
}

func (s Storage) applyCreate(o *createOptions) error {
	if s != Logged && s != Unlogged {
		return option.Invalid("Storage is %d, neither Logged nor Unlogged", int(s))
	}
	if o.storage != nil && *o.storage != s {
		return option.Invalid("Logged and Unlogged exclude each other")
	}
	o.storage = &s
	return nil
}

// Create makes a queue and its archive, unless they exist. An existing queue
// keeps its storage. In a transaction the queue exists when that commits. The
// option is a [Storage].
//
// Errors: [queue.ErrInvalidName], [queue.ErrInvalidOption], [queue.ErrNoSchema],
// and errors of pgx.
func Create(ctx context.Context, conn queue.DB, name string, opts ...CreateOption) error {
	b, err := table.Open(conn, name)
	if err != nil {
		return err
	}
	var o createOptions
	if err := option.Apply(&o, opts, CreateOption.applyCreate); err != nil {
		return b.Fail("create", err)
	}
	create := queries.Create
	if o.storage != nil && *o.storage == Unlogged {
		create = queries.CreateUnlogged
	}
	err = table.Repeat(ctx, conn, func() error { return create(ctx, conn, name) })
	if err != nil {
		return b.Fail("create", err)
	}
	return nil
}

// Drop removes a queue, its archive, and every message in both. Errors:
// [queue.ErrInvalidName], [queue.ErrNoQueue], [queue.ErrNoSchema], and errors of
// pgx.
func Drop(ctx context.Context, conn queue.DB, name string) error {
	b, err := table.Open(conn, name)
	if err != nil {
		return err
	}
	dropped, err := table.Run(ctx, conn, queries.Drop, name)
	if err == nil && !dropped {
		err = pgerr.ErrNoQueue
	}
	if err != nil {
		return b.Fail("drop", err)
	}
	return nil
}

// NotEmptyError is the error of DropEmpty for a queue that holds something.
type NotEmptyError struct {
	Queued   int64 // messages in the queue, hidden ones too
	Archived int64 // messages in its archive
}

func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("not empty: %d message(s) in the queue and %d in its archive", e.Queued, e.Archived)
}

// DropEmpty removes a queue and its archive if neither holds a message, hidden
// ones included. It locks both against everybody else before it counts, so that no
// message can slip in. On a pool or a connection it is a transaction; in a
// transaction the locks last until that ends.
//
// Errors: a [*NotEmptyError], after which the queue is as it was, and those of
// Drop.
func DropEmpty(ctx context.Context, conn queue.DB, name string) error {
	b, err := table.Open(conn, name)
	if err != nil {
		return err
	}
	beginner, ok := conn.(interface {
		Begin(ctx context.Context) (pgx.Tx, error)
	})
	if !ok {
		return b.Fail("drop", option.Invalid("a %T cannot begin a transaction", conn))
	}
	err = table.Repeat(ctx, conn, func() error {
		return pgx.BeginFunc(ctx, beginner, func(tx pgx.Tx) error { return dropEmpty(ctx, b.On(tx)) })
	})
	if err != nil {
		return b.Fail("drop", err)
	}
	return nil
}

func dropEmpty(ctx context.Context, b table.Bound) error {
	if err := queries.Lock(ctx, b.DB); err != nil {
		return err
	}
	count, err := queries.Count(ctx, b.DB)
	if err != nil {
		return err
	}
	if count.Queued+count.Archived > 0 {
		return &NotEmptyError{Queued: count.Queued, Archived: count.Archived}
	}
	dropped, err := queries.Drop(ctx, b.Conn, b.Name)
	if err == nil && !dropped {
		err = pgerr.ErrNoQueue
	}
	return err
}

// Purge removes every message of a queue, hidden ones too, and returns how many
// there were. The archive stays. Purge waits for transactions that have touched
// the queue, and holds off new ones meanwhile. Errors are those of Drop.
func Purge(ctx context.Context, conn queue.DB, name string) (int64, error) {
	b, err := table.Open(conn, name)
	if err != nil {
		return 0, err
	}
	purged, err := table.Run(ctx, conn, queries.Purge, name)
	if err != nil {
		return 0, b.Fail("purge", err)
	}
	return purged, nil
}

// Info is the entry of a queue in the list of all queues.
type Info struct {
	Name      string
	CreatedAt time.Time // by the server's clock
	Storage   Storage
	// Partitioned queues are made by pgmq.create_partitioned; see Maintain.
	Partitioned bool
}

// List returns every queue, by name; without any it returns none and no error.
// Errors: [queue.ErrNoSchema] and errors of pgx.
func List(ctx context.Context, conn queue.DB) ([]Info, error) {
	if conn == nil {
		return nil, fmt.Errorf("list queues: %w", errNoDB)
	}
	rows, err := table.Ask(ctx, table.Printed(conn), queries.List)
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", explainCatalogue(err))
	}
	infos := make([]Info, len(rows))
	for i, row := range rows {
		infos[i] = infoOf(row)
	}
	return infos, nil
}

func infoOf(row db.Queue) Info {
	info := Info{Name: row.QueueName, CreatedAt: row.CreatedAt, Partitioned: row.IsPartitioned}
	if row.IsUnlogged {
		info.Storage = Unlogged
	}
	return info
}

var errNoDB = option.Invalid("the database is nil")

// explainCatalogue explains the error of a query on PGMQ's own tables: without
// one of them this database was not migrated.
func explainCatalogue(err error) error {
	why := pgerr.Explain(err)
	if errors.Is(why, pgerr.ErrNoQueue) {
		return fmt.Errorf("%w: %w", pgerr.ErrNoSchema, err)
	}
	return why
}
