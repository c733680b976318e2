package schema

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3/database"
)

// newestOld is the last version of the history before the first release. The
// present history has other migrations under the same numbers.
const newestOld = 22

// An OldHistoryError says that other migrations made schema pgmq: those from
// before the first release, whose versions 1 to 22 have nothing to do with the
// present ones. [Rebaseline] takes a database on from version 22.
type OldHistoryError struct {
	Version int64 // of the old history, 1 to 22
}

func (e *OldHistoryError) Error() string {
	if e.Version < newestOld {
		return fmt.Sprintf("schema pgmq is at version %d of the history before the first release: "+
			"migrate it to version %d with the pgmq that made it, then run \"pgmq migrate rebaseline\", which keeps queues and messages",
			e.Version, newestOld)
	}
	return fmt.Sprintf("schema pgmq is at version %d of the history before the first release: "+
		"run \"pgmq migrate rebaseline\", which keeps queues and messages", e.Version)
}

// Check returns an [*OldHistoryError] if the migrations from before the first
// release made schema pgmq, and nil if the present ones did or there is no schema
// pgmq. It reads only. [Provider], [Migrate] and [Remove] check by themselves.
func Check(ctx context.Context, db *sql.DB) error {
	store, err := newStore()
	if err != nil {
		return err
	}
	exists, err := store.TableExists(ctx, db)
	if err != nil || !exists {
		return err
	}
	return check(ctx, db)
}

// check is Check for a database that has the version table. The old history had
// the template tables from its version 1 on and never _drop_outdated; the present
// one has that function from version 1 on. By the catalogue, because a role that
// checks may lack USAGE on the schema.
func check(ctx context.Context, db database.DBTxConn) error {
	var version int64
	err := db.QueryRowContext(ctx, `
		SELECT coalesce(max(version_id), 0) FROM `+VersionTable+`
		WHERE version_id > 0 AND is_applied
			AND EXISTS (
				SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
				WHERE n.nspname = 'pgmq' AND c.relname = 'template_queue'
			)
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
				WHERE n.nspname = 'pgmq' AND p.proname = '_drop_outdated'
			)`).Scan(&version)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if version > 0 {
		return &OldHistoryError{Version: version}
	}
	return nil
}

// store is goose's, and refuses to tell versions of the old history, which goose
// would take for those of the present one.
type store struct{ database.StoreExtender }

func newStore() (store, error) {
	s, err := database.NewStore(database.DialectPostgres, VersionTable)
	if err != nil {
		return store{}, fmt.Errorf("schema: %w", err)
	}
	extended, ok := s.(database.StoreExtender)
	if !ok {
		return store{}, fmt.Errorf("schema: goose's store %T does not check for its table", s)
	}
	return store{extended}, nil
}

func (s store) ListMigrations(ctx context.Context, db database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	if err := check(ctx, db); err != nil {
		return nil, err
	}
	return s.StoreExtender.ListMigrations(ctx, db) //nolint:wrapcheck // goose's own, for goose
}

func (s store) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	if err := check(ctx, db); err != nil {
		return 0, err
	}
	return s.StoreExtender.GetLatestVersion(ctx, db) //nolint:wrapcheck // goose's own, for goose
}

func (s store) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	if err := check(ctx, db); err != nil {
		return nil, err
	}
	return s.StoreExtender.GetMigration(ctx, db, version) //nolint:wrapcheck // goose's own, for goose
}
