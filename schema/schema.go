// Package schema has the schema of the queues as goose migrations, and three ways to
// apply them.
//
//   - From Go: [Migrate], when the program starts or in a deploy step.
//   - From the command line: pgmq migrate up.
//   - With plain goose, on the files that pgmq migrate export writes, and
//     GOOSE_TABLE set to [VersionTable].
//
// All three keep one history, in a version table of its own: an application's
// goose migrations in the same database do not get in the way. Any number of
// processes may call Migrate at once; one does the work while the others wait.
//
// Beside the migrations there are two optional SQL APIs, see [Optional].
//
// A program that only uses queues needs package queue and not this one.
package schema

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// FS holds the migrations, NNNNN_name.sql, in its root, where goose looks, and
// the files of the optional APIs in optional. From the first tag on, a released
// migration is never edited.
//
//go:embed *.sql optional/*.sql
var FS embed.FS

// VersionTable is where goose records which migrations were applied. It lives
// outside of schema pgmq, which the first migration creates.
const VersionTable = "public.pgmq_schema_version"

// lockID names the session lock that migrations hold, among all advisory locks
// of a database. It spells "pgmq" in ASCII.
const lockID = 0x70676d71

// Seconds: how often a waiting process asks for the lock, and how often it asks
// before it gives up (an hour).
const (
	lockPeriod = 1
	lockTries  = 3600
)

// Provider returns a goose provider for these migrations, for uses other than Migrate:
// going down, status, a logger. The extra options are goose's.
//
// db must reach Postgres directly: the lock belongs to a session, which a
// transaction pooler would share with others.
//
// Its methods fail with an [*OldHistoryError] where migrations from before the
// first release made schema pgmq. A version table that the database contradicts
// counts as empty: see [IncompleteError].
func Provider(db *sql.DB, opts ...goose.ProviderOption) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockID(lockID),
		lock.WithLockTimeout(lockPeriod, lockTries),
	)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	store, err := newStore()
	if err != nil {
		return nil, err
	}
	opts = append([]goose.ProviderOption{
		goose.WithStore(store),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSessionLocker(locker),
	}, opts...)
	p, err := goose.NewProvider(goose.DialectCustom, db, FS, opts...)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return p, nil
}

// Migrate applies the migrations that are pending, each in a transaction; none
// pending is no error. With a pgx pool: Migrate(ctx, stdlib.OpenDBFromPool(pool)).
//
// The role needs CREATE on the database and on schema public, once. A failed or
// killed run leaves the migrations before the failed one, and can be repeated. It
// returns an [*OldHistoryError] where [Rebaseline] has to run first. Where the
// version table lists objects that are not in the database, it begins anew, and keeps
// the existing queues and messages.
func Migrate(ctx context.Context, db *sql.DB) error {
	p, err := Provider(db)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	return nil
}

// Remove takes the optional APIs and every migration back, the newest first,
// and then drops the version table: nothing is left. It refuses, and leaves the
// queues as they are, while one of them or its archive holds messages, or has
// settings: topic bindings, notifications, partitions. It returns an
// [*IncompleteError] where parts of the schema are missing; [Migrate] puts them
// back.
func Remove(ctx context.Context, db *sql.DB) error {
	p, err := Provider(db)
	if err != nil {
		return err
	}
	err = Check(ctx, db)
	if incomplete := (*IncompleteError)(nil); err != nil && (!errors.As(err, &incomplete) || !incomplete.Gone()) {
		return err
	}
	for _, o := range Optionals() {
		if err := Uninstall(ctx, db, o); err != nil {
			return err
		}
	}
	if _, err := p.DownTo(ctx, 0); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if _, err := db.ExecContext(ctx, "DROP TABLE "+VersionTable); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	return nil
}
