package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/schema"
)

// dryUp prints the SQL of the migrations that are pending.
func dryUp(cmd *cobra.Command, db *sql.DB) error {
	status, err := inspect.MigrationsOf(cmd.Context(), db)
	if err != nil && !errors.As(err, new(*schema.IncompleteError)) {
		return err
	}
	pending := slices.DeleteFunc(status.Migrations, func(m inspect.Migration) bool { return m.AppliedAt != nil })
	return printSQL(cmd.OutOrStdout(), pending, true)
}

// dryDown prints the SQL that reverts the latest migration, or everything.
func dryDown(cmd *cobra.Command, db *sql.DB, all bool) error {
	status, err := inspect.MigrationsOf(cmd.Context(), db)
	if err != nil {
		return err
	}
	applied := slices.DeleteFunc(status.Migrations, func(m inspect.Migration) bool { return m.AppliedAt == nil })
	slices.Reverse(applied)
	if !all {
		return printSQL(cmd.OutOrStdout(), applied[:min(len(applied), 1)], false)
	}
	for _, o := range schema.Optionals() {
		text, err := schema.FS.ReadFile(fmt.Sprintf("optional/%s.down.sql", o))
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
	}
	if err := printSQL(cmd.OutOrStdout(), applied, false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "DROP TABLE %s;\n", schema.VersionTable)
	return err
}

// printSQL prints one direction of migrations, without goose's comments.
func printSQL(out io.Writer, migrations []inspect.Migration, up bool) error {
	if len(migrations) == 0 {
		_, err := fmt.Fprintln(out, "-- nothing to do")
		return err
	}
	for _, m := range migrations {
		text, err := schema.FS.ReadFile(m.File)
		if err != nil {
			return err
		}
		before, after, _ := strings.Cut(string(text), "-- +goose Down\n")
		if !up {
			before = after
		}
		fmt.Fprintf(out, "-- %s\n", m.File)
		for line := range strings.Lines(before) {
			if !strings.HasPrefix(line, "-- +goose ") {
				fmt.Fprint(out, line)
			}
		}
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	return nil
}
