package inspect

import (
	"context"
	"database/sql"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/pressly/goose/v3/database"

	"github.com/pgmq-go/pgmq/schema"
)

// Migration is one migration of schema pgmq.
type Migration struct {
	Version   int64      `json:"version"`
	File      string     `json:"file"`       // "" when it is newer than this program
	AppliedAt *time.Time `json:"applied_at"` // nil while pending
}

// Migrations are those that this program knows, the first one first, and after
// them those that a newer one applied.
type Migrations struct {
	Version    int64       `json:"version"`             // the highest that is applied; 0 for none
	Extension  string      `json:"extension,omitempty"` // the version of our extension, if that made the schema
	Pending    int         `json:"pending"`
	Migrations []Migration `json:"migrations"`
}

// MigrationsOf says which migrations were applied. Unlike goose's own status it
// changes nothing, so that a role that may only read can ask. It waits for no
// lock, so that it also answers while a migration is running. The error is a
// *schema.OldHistoryError where migrations from before the first release made schema
// pgmq. It is a *schema.IncompleteError, and all are pending, where the version table
// lists migrations whose objects are missing.
func MigrationsOf(ctx context.Context, conn *sql.DB) (Migrations, error) {
	all, err := history(ctx, conn)
	m := Migrations{Migrations: all}
	for _, one := range all {
		if one.AppliedAt == nil {
			m.Pending++
		} else {
			m.Version = one.Version
		}
	}
	if err == nil && m.Version == 0 {
		m.Extension, err = extension(ctx, conn)
	}
	return m, err
}

// extension returns the version of the extension pgmq, if it is ours and made the
// schema; otherwise "".
func extension(ctx context.Context, conn *sql.DB) (version string, err error) {
	err = conn.QueryRowContext(ctx, `
		SELECT coalesce(max(e.extversion), '')
		FROM pg_catalog.pg_extension AS e
		JOIN pg_catalog.pg_depend AS d
			ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
		JOIN pg_catalog.pg_proc AS p ON d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid
		WHERE e.extname = 'pgmq' AND p.proname = '_drop_outdated'`).Scan(&version)
	return version, err
}

// Newer returns how many applied migrations this program does not know.
func (m Migrations) Newer() (n int) {
	for _, one := range m.Migrations {
		if one.File == "" {
			n++
		}
	}
	return n
}

func history(ctx context.Context, conn *sql.DB) ([]Migration, error) {
	provider, err := schema.Provider(conn)
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, source := range provider.ListSources() {
		all = append(all, Migration{Version: source.Version, File: filepath.Base(source.Path)})
	}
	store, err := database.NewStore(database.DialectPostgres, schema.VersionTable)
	if err != nil {
		return nil, err
	}
	there, err := store.(database.StoreExtender).TableExists(ctx, conn)
	if err != nil || !there {
		return all, err
	}
	if err := schema.Check(ctx, conn); err != nil {
		return all, err
	}
	applied, err := store.ListMigrations(ctx, conn)
	if err != nil {
		return nil, err
	}
	at := map[int64]*time.Time{}
	for _, a := range applied {
		row, err := store.GetMigration(ctx, conn, a.Version)
		if err != nil {
			return nil, err
		}
		at[a.Version] = &row.Timestamp
	}
	for i := range all {
		all[i].AppliedAt = at[all[i].Version]
		delete(at, all[i].Version)
	}
	delete(at, 0) // goose's own, for none
	for _, version := range slices.Sorted(maps.Keys(at)) {
		all = append(all, Migration{Version: version, AppliedAt: at[version]})
	}
	return all, nil
}
