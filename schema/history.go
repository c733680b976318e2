package schema

import (
	"context"
	"database/sql"
	"errors"
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

// Check compares the version table with the database. It returns an
// [*OldHistoryError] if the migrations from before the first release made schema
// pgmq, an [*IncompleteError] if objects of applied migrations are missing, and nil if
// none is missing or no migration was applied. It reads only. [Provider], [Migrate]
// and [Remove] check by themselves.
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

// check is Check for a database that has the version table.
func check(ctx context.Context, db database.DBTxConn) error {
	if err := checkOld(ctx, db); err != nil {
		return err
	}
	return checkComplete(ctx, db)
}

// checkOld returns an [*OldHistoryError] for the old history. The old history had the
// template tables from its version 1 on, and no object of these names; the present one
// has some of them at each version. It reads the catalogue, because a role that
// checks may lack USAGE on the schema.
func checkOld(ctx context.Context, db database.DBTxConn) error {
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
				WHERE n.nspname = 'pgmq' AND p.proname IN ('_drop_outdated', '_set_replica_identity', '_table_of', '_list_queue')
			)`).Scan(&version)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if version > 0 {
		return &OldHistoryError{Version: version}
	}
	return nil
}

// store is goose's store with two changes. It returns no versions of the old history,
// but an error, because goose would take them for the present ones. It returns no
// versions where the database contradicts them, so that goose begins anew.
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

// believed reports whether the version table may be believed.
func believed(ctx context.Context, db database.DBTxConn) (bool, error) {
	err := check(ctx, db)
	if errors.As(err, new(*IncompleteError)) {
		return false, nil
	}
	return err == nil, err
}

func (s store) ListMigrations(ctx context.Context, db database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	told, err := believed(ctx, db)
	if err != nil {
		return nil, err
	}
	if told {
		all, err := s.StoreExtender.ListMigrations(ctx, db)
		if err != nil || len(all) > 0 {
			return all, err //nolint:wrapcheck // goose's own, for goose
		}
	}
	return []*database.ListMigrationsResult{{Version: 0, IsApplied: true}}, nil // goose's entry for none
}

// Insert replaces an entry that the database contradicted.
func (s store) Insert(ctx context.Context, db database.DBTxConn, r database.InsertRequest) error {
	if err := s.Delete(ctx, db, r.Version); err != nil && !errors.Is(err, database.ErrVersionNotFound) {
		return err //nolint:wrapcheck // goose's own, for goose
	}
	return s.StoreExtender.Insert(ctx, db, r) //nolint:wrapcheck // goose's own, for goose
}

func (s store) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	all, err := s.ListMigrations(ctx, db)
	version := int64(0)
	for _, one := range all {
		version = max(version, one.Version)
	}
	return version, err
}

func (s store) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	told, err := believed(ctx, db)
	if err != nil {
		return nil, err
	}
	if !told {
		return nil, fmt.Errorf("schema: version %d: %w", version, database.ErrVersionNotFound)
	}
	return s.StoreExtender.GetMigration(ctx, db, version) //nolint:wrapcheck // goose's own, for goose
}
