package main

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/schema"
)

func migrateStatus(t *target) *cobra.Command {
	var asJSON bool
	status := &cobra.Command{
		Use:     "status",
		Short:   "List the migrations and when they were applied",
		Example: `  pgmq migrate status`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDB(cmd, t, nil, func(db *sql.DB) error {
				status, err := inspect.MigrationsOf(cmd.Context(), db)
				incomplete := err
				if err != nil && !errors.As(err, new(*schema.IncompleteError)) {
					return err
				}
				if asJSON {
					encoder := json.NewEncoder(cmd.OutOrStdout())
					encoder.SetIndent("", "  ")
					err = encoder.Encode(status)
				} else {
					err = printMigrations(cmd, status)
				}
				return cmp.Or(err, incomplete)
			})
		},
	}
	status.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return status
}

func printMigrations(cmd *cobra.Command, m inspect.Migrations) error {
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tMIGRATION\tAPPLIED")
	for _, one := range m.Migrations {
		applied := "pending"
		if one.AppliedAt != nil {
			applied = one.AppliedAt.Format(time.DateTime)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\n", one.Version, cmp.Or(one.File, "(newer than this command)"), applied)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	pending := ""
	if m.Pending > 0 {
		pending = fmt.Sprintf(", %d pending", m.Pending)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "schema pgmq is at version %d%s\n", m.Version, pending)
	return err
}
