package generate

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/queue"
)

// Compare returns the changes that a database needs to match the declaration. It
// ignores queues that are not declared, which may belong to others. Errors:
// [queue.ErrNoSchema] if the schema is not there, and those of pgx.
func Compare(ctx context.Context, conn db.DBTX, declared []Stored) ([]Change, error) {
	rows, err := db.New().Stored(ctx, conn)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000") { // undefined_table, invalid_schema_name
		return nil, queue.ErrNoSchema
	}
	if err != nil {
		return nil, err
	}
	wanted := byKey(declared)
	var there []Stored
	for _, row := range rows {
		if s := inDatabase(row); wanted[s.key()] != nil {
			there = append(there, s)
		}
	}
	return Diff(there, declared), nil
}

func inDatabase(row db.StoredRow) Stored {
	s := Stored{Name: row.QueueName, Unlogged: row.IsUnlogged, Topics: row.Topics}
	s.Partitions = Partitions{
		Every: row.PartitionInterval, Keep: row.RetentionInterval, Premake: int(row.Premake), DropUnread: row.DropUnread,
	}
	if row.ThrottleIntervalMs >= 0 {
		s.Notify = (time.Duration(row.ThrottleIntervalMs) * time.Millisecond).String()
	}
	slices.Sort(s.Topics)
	return s
}
