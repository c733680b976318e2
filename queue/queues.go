package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Create makes a queue and its archive, unless they exist. It takes the caller's
// transaction, if db is one. Errors: [ErrName], [ErrOption], [ErrNoSchema], and
// what pgx returns.
func Create(ctx context.Context, db DB, name string, opts ...CreateOption) error {
	h, err := open(db, name)
	if err != nil {
		return err
	}
	o, err := createOptionsOf(opts)
	if err != nil {
		return h.fail("create", err)
	}
	create := queries.Create
	if o.storage == Unlogged {
		create = queries.CreateUnlogged
	}
	if err := create(ctx, db, name); err != nil {
		return h.fail("create", err)
	}
	return nil
}

// Drop removes a queue, its archive, and every message in both. Errors:
// [ErrName], [ErrNoQueue], [ErrNoSchema], and what pgx returns.
func Drop(ctx context.Context, db DB, name string) error {
	h, err := open(db, name)
	if err != nil {
		return err
	}
	dropped, err := queries.Drop(ctx, db, name)
	if err == nil && !dropped {
		err = ErrNoQueue
	}
	if err != nil {
		return h.fail("drop", err)
	}
	return nil
}

// Purge removes every message of a queue, hidden ones too, and returns how many.
// The archive stays. It waits for transactions that have touched the queue, and
// holds off new ones meanwhile. Errors are those of Drop.
func Purge(ctx context.Context, db DB, name string) (int64, error) {
	h, err := open(db, name)
	if err != nil {
		return 0, err
	}
	purged, err := queries.Purge(ctx, db, name)
	if err != nil {
		return 0, h.fail("purge", err)
	}
	return purged, nil
}

// Maintain makes the partitions that a partitioned queue lacks, moves to them what
// came before they were there, and drops those behind its retention. Every
// program may call it, as often as it likes; with no partitions it does nothing.
// What could not be done now, because long transactions are in the way, is told
// as a WARNING of the server and left for the next call. db must not be a
// transaction. Errors: [ErrName], [ErrNoSchema], and what pgx returns.
func Maintain(ctx context.Context, db DB, name string) error {
	h, err := open(db, name)
	if err != nil {
		return err
	}
	if err := queries.Maintain(ctx, db, pgtype.Text{String: name, Valid: true}); err != nil {
		return h.fail("maintain", err)
	}
	return nil
}

// MaintainAll is Maintain for every queue.
func MaintainAll(ctx context.Context, db DB) error {
	if err := queries.Maintain(ctx, db, pgtype.Text{}); err != nil {
		return fmt.Errorf("maintain queues: %w", explain(err))
	}
	return nil
}

// Info describes a queue.
type Info struct {
	Name      string
	CreatedAt time.Time
	Storage   Storage
	// Partitioned queues are made by pgmq.create_partitioned; see Maintain.
	Partitioned bool
}

// List returns every queue, by name; none is no error. Errors: [ErrNoSchema] and
// what pgx returns.
func List(ctx context.Context, db DB) ([]Info, error) {
	rows, err := queries.List(ctx, db)
	if err != nil {
		why := explain(err)
		if errors.Is(why, ErrNoQueue) { // the table that is missing is the catalogue
			why = fmt.Errorf("%w: %w", ErrNoSchema, err)
		}
		return nil, fmt.Errorf("list queues: %w", why)
	}
	infos := make([]Info, len(rows))
	for i, row := range rows {
		infos[i] = Info{Name: row.QueueName, CreatedAt: row.CreatedAt, Partitioned: row.IsPartitioned}
		if row.IsUnlogged {
			infos[i].Storage = Unlogged
		}
	}
	return infos, nil
}

// QueueStats says what is in a queue. Times are by the server's clock.
type QueueStats struct {
	// Length counts all messages, hidden ones too.
	Length int64
	// Visible counts those that a reader would get now.
	Visible int64
	// Oldest and Newest are the first and last EnqueuedAt; zero when empty.
	Oldest, Newest time.Time
	// At is when this was counted.
	At time.Time
}

// Stats counts the messages of a queue, exactly: it reads the whole table, so ask
// a long queue seldom. Errors: [ErrName], [ErrNoQueue], and what pgx returns.
func Stats(ctx context.Context, db DB, name string) (QueueStats, error) {
	h, err := open(db, name)
	if err != nil {
		return QueueStats{}, err
	}
	row, err := queries.Stats(ctx, h.db)
	if err != nil {
		return QueueStats{}, h.fail("stats", err)
	}
	s := QueueStats{Length: row.Length, Visible: row.Visible, At: row.At}
	if s.Length > 0 {
		s.Oldest, s.Newest = row.Oldest, row.Newest
	}
	return s, nil
}
