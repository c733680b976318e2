package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pressly/goose/v3/database"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/schema"
)

// migration is one of the history, as JSON too.
type migration struct {
	Version   int64      `json:"version"`
	File      string     `json:"file"`       // "" when it is newer than this command
	AppliedAt *time.Time `json:"applied_at"` // nil while pending
}

// history lists the migrations, the first one first, and after them those that a
// newer command applied, whose files are not known here. Unlike goose's own status
// it changes nothing, so that a role that may only read can ask, and waits for no
// lock, so that it tells of a migration under way.
func history(ctx context.Context, db *sql.DB) ([]migration, error) {
	provider, err := schema.Provider(db)
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, source := range provider.ListSources() {
		all = append(all, migration{Version: source.Version, File: filepath.Base(source.Path)})
	}
	store, err := database.NewStore(database.DialectPostgres, schema.VersionTable)
	if err != nil {
		return nil, err
	}
	there, err := store.(database.StoreExtender).TableExists(ctx, db)
	if err != nil || !there {
		return all, err
	}
	if err := schema.Check(ctx, db); err != nil {
		return nil, err
	}
	applied, err := store.ListMigrations(ctx, db)
	if err != nil {
		return nil, err
	}
	at := map[int64]*time.Time{}
	for _, a := range applied {
		row, err := store.GetMigration(ctx, db, a.Version)
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
		all = append(all, migration{Version: version, AppliedAt: at[version]})
	}
	return all, nil
}

// historyStatus sums a history up.
type historyStatus struct {
	Version    int64       `json:"version"` // the highest that is applied; 0 for none
	Pending    int         `json:"pending"`
	Migrations []migration `json:"migrations"`
}

func statusOf(all []migration) historyStatus {
	status := historyStatus{Migrations: all}
	for _, m := range all {
		if m.AppliedAt == nil {
			status.Pending++
		} else {
			status.Version = m.Version
		}
	}
	return status
}

func migrateStatus(t *target) *cobra.Command {
	var asJSON bool
	status := &cobra.Command{
		Use:     "status",
		Short:   "List the migrations and when they were applied",
		Example: `  pgmq migrate status`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDB(cmd, t, nil, func(db *sql.DB) error {
				all, err := history(cmd.Context(), db)
				if err != nil {
					return err
				}
				status := statusOf(all)
				if asJSON {
					encoder := json.NewEncoder(cmd.OutOrStdout())
					encoder.SetIndent("", "  ")
					return encoder.Encode(status)
				}
				return status.print(cmd)
			})
		},
	}
	status.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return status
}

func (s historyStatus) print(cmd *cobra.Command) error {
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tMIGRATION\tAPPLIED")
	for _, m := range s.Migrations {
		applied := "pending"
		if m.AppliedAt != nil {
			applied = m.AppliedAt.Format(time.DateTime)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\n", m.Version, cmp.Or(m.File, "(newer than this command)"), applied)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	pending := ""
	if s.Pending > 0 {
		pending = fmt.Sprintf(", %d pending", s.Pending)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "schema pgmq is at version %d%s\n", s.Version, pending)
	return err
}
