package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/generate"
	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/schema"
)

func migrateCommand(t *target) *cobra.Command {
	migrate := &cobra.Command{
		Use:   "migrate",
		Short: "Apply, revert, list or export the migrations of schema pgmq",
		Long: `Apply, revert, list or export the migrations of schema pgmq.

What changes the schema needs a direct connection, not one through a pooler that
assigns sessions by transaction: its lock belongs to a session.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	migrate.AddCommand(migrateUp(t), migrateDown(t), migrateStatus(t), migrateRebaseline(t), migrateExport())
	return migrate
}

func migrateUp(t *target) *cobra.Command {
	var dry bool
	up := &cobra.Command{
		Use:   "up",
		Short: "Apply the migrations that are pending",
		Long: `Apply the migrations that are pending. Several may run at once: one works, the
others wait.

Where the version table lists what is not in the database, because somebody
dropped it or restored one without the other, the command says so and applies
all migrations anew. The queues and messages that are there stay.`,
		Example: `  pgmq migrate up --database-url postgres://app@localhost/app`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dry {
				return withDB(cmd, t, nil, func(db *sql.DB) error { return dryUp(cmd, db) })
			}
			return withDirectDB(cmd, t, nil, func(db *sql.DB) error {
				if err := schema.Check(cmd.Context(), db); errors.As(err, new(*schema.IncompleteError)) {
					fmt.Fprintf(cmd.ErrOrStderr(), "%v; beginning anew\n", err)
				}
				provider, err := schema.Provider(db)
				if err != nil {
					return err
				}
				results, err := provider.Up(cmd.Context())
				return report(cmd, provider, results, err)
			})
		},
	}
	up.Flags().BoolVar(&dry, "dry-run", false, "print the SQL and run none of it")
	return up
}

func migrateDown(t *target) *cobra.Command {
	var all, dropMessages, dry bool
	down := &cobra.Command{
		Use:   "down",
		Short: "Revert the latest migration",
		Long: `Revert the latest migration, or all of them.

The second migration holds the queues. It is not reverted while a queue or an
archive holds messages. Others hold topic bindings, notifications and the
settings of partitions, which up does not bring back: they are not reverted
while there are any. --drop-messages reverts them all the same.`,
		Example: `  pgmq migrate down
  pgmq migrate down --all --drop-messages`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings := map[string]string{}
			if dropMessages {
				settings["pgmq.drop_messages"] = "on"
			}
			if dry {
				return withDB(cmd, t, settings, func(db *sql.DB) error { return dryDown(cmd, db, all) })
			}
			return withDirectDB(cmd, t, settings, func(db *sql.DB) error {
				err := takeBack(cmd, db, all)
				var pg *pgconn.PgError
				if errors.As(err, &pg) && pg.Code == "55000" { // raised by the migration itself
					first, _, _ := strings.Cut(pg.Hint, ", or ")
					return fmt.Errorf("%s. %s, or pass --drop-messages", pg.Message, first)
				}
				return err
			})
		},
	}
	down.Flags().BoolVar(&all, "all", false, "revert every migration and drop the version table")
	down.Flags().BoolVar(&dry, "dry-run", false, "print the SQL and run none of it")
	down.Flags().BoolVar(&dropMessages, "drop-messages", false, "drop queues that hold messages and settings, too")
	return down
}

func takeBack(cmd *cobra.Command, db *sql.DB, all bool) error {
	if all {
		if err := schema.Remove(cmd.Context(), db); err != nil {
			return err
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "removed schema pgmq and its version table")
		return err
	}
	if err := schema.Check(cmd.Context(), db); err != nil {
		return err
	}
	provider, err := schema.Provider(db)
	if err != nil {
		return err
	}
	result, err := provider.Down(cmd.Context())
	if errors.Is(err, goose.ErrNoNextVersion) {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing to revert: version 0")
		return err
	}
	if err != nil {
		return err
	}
	return report(cmd, provider, []*goose.MigrationResult{result}, nil)
}

func migrateRebaseline(t *target) *cobra.Command {
	var dry bool
	rebaseline := &cobra.Command{
		Use:   "rebaseline",
		Short: "Carry over a database from before the first release",
		Long: `Carry over a database from before the first release to the present history, from
version 22 on, in one transaction. Queues, messages, archives, topic bindings
and privileges stay. Update all programs at the same time: those from before the
first release call functions by their old names.

A database with the present history stays as it is.`,
		Example: `  pgmq migrate rebaseline --dry-run > review.sql
  pgmq migrate rebaseline`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dry {
				script, err := schema.RebaselineSQL()
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), script)
				return err
			}
			return withDirectDB(cmd, t, nil, func(db *sql.DB) error {
				if err := schema.Rebaseline(cmd.Context(), db); err != nil {
					return err
				}
				status, err := inspect.MigrationsOf(cmd.Context(), db)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "schema pgmq is at version %d of the present history\n", status.Version)
				return err
			})
		},
	}
	rebaseline.Flags().BoolVar(&dry, "dry-run", false, "print the SQL and run none of it")
	return rebaseline
}

func migrateExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Write the migrations as files for plain goose",
		Long: `Write the migrations as files for plain goose. Those of the optional APIs go to
DIR/optional, which goose does not read: each is one statement, for psql.`,
		Example: `  pgmq migrate export migrations/pgmq
  export GOOSE_TABLE=` + schema.VersionTable + `
  goose -dir migrations/pgmq postgres "$DATABASE_URL" up`,
		Args:              exactly("DIR"),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return export(cmd.OutOrStdout(), args[0])
		},
	}
}

// export writes the files that do not exist yet. A file that exists and differs is
// somebody's work, and stays.
func export(out io.Writer, dir string) error {
	migrations, err := fs.Glob(schema.FS, "*.sql")
	if err != nil {
		return err
	}
	optional, err := fs.Glob(schema.FS, "optional/*.sql")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "optional"), 0o755); err != nil {
		return err
	}
	for _, name := range append(migrations, optional...) {
		want, err := schema.FS.ReadFile(name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		switch have, err := os.ReadFile(path); {
		case err == nil && generate.SameText(have, want):
			fmt.Fprintln(out, "unchanged", path)
			continue
		case err == nil:
			return fmt.Errorf("%s exists and differs from what would be written; move it away first", path)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", path)
	}
	_, err = fmt.Fprintf(out, "\nApply them with GOOSE_TABLE=%s, the version table that pgmq migrate uses too.\n", schema.VersionTable)
	return err
}

// report writes the applied migrations, and returns the error that came after them.
func report(cmd *cobra.Command, provider *goose.Provider, results []*goose.MigrationResult, err error) error {
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		results = partial.Applied
	}
	verb := map[string]string{"up": "applied", "down": "reverted"}
	out := cmd.OutOrStdout()
	for _, r := range results {
		if r.Error == nil {
			fmt.Fprintf(out, "%s %s (%v)\n", verb[r.Direction], filepath.Base(r.Source.Path), r.Duration.Round(time.Millisecond))
		}
	}
	if err != nil {
		return err
	}
	version, err := provider.GetDBVersion(cmd.Context())
	if err != nil {
		return err
	}
	if len(results) == 0 {
		fmt.Fprint(out, "nothing to do: ")
	}
	_, err = fmt.Fprintf(out, "schema pgmq is at version %d\n", version)
	return err
}
