package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/doctor"
	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/schema"
)

func doctorCommand(t *target) *cobra.Command {
	var openFor time.Duration
	var asJSON bool
	examine := &cobra.Command{
		Use:   "doctor",
		Short: "Check the server and the queues, and say what to do",
		Long: `Check the server and the queues, and say what is wrong and what to do.

Doctor changes nothing, waits at most half a second for a lock, and counts no
queue. A finding is a problem, a warning, or a notice, which may be intended. A
check that the role may not make, or that a lock prevents, is unchecked.

The exit code is 4 when there are problems; 3 when there are none, but a check
could not be made; else 0. It is 1 when the server does not answer.`,
		Example: `  pgmq doctor
  pgmq doctor --json | jq '.[] | select(.level == "problem")'
  pgmq doctor --max-transaction 10m`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if openFor <= 0 {
				return usage(cmd, errors.New("--max-transaction must be positive"))
			}
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				found := examination(cmd.Context(), pool, openFor)
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				return writeFindings(cmd, found, asJSON)
			})
		},
	}
	examine.Flags().DurationVar(&openFor, "max-transaction", time.Minute, "how `long` transactions may be open")
	jsonFlag(examine, &asJSON, "write a JSON array")
	return examine
}

// examinationTime limits the checks, in case the server stops answering meanwhile.
const examinationTime = 45 * time.Second

// examination returns all findings.
func examination(ctx context.Context, pool *pgxpool.Pool, openFor time.Duration) []doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, examinationTime)
	defer cancel()
	exam := doctor.New(pool, openFor)
	found := exam.Server(ctx)
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	migrations, migrated := migrationsFinding(ctx, db)
	found = append(found, migrations)
	if !migrated {
		return found
	}
	return append(found, exam.Queues(ctx)...)
}

// migrationsFinding returns the finding on the schema, and whether there is any.
func migrationsFinding(ctx context.Context, db *sql.DB) (f doctor.Finding, migrated bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // for a lock
	defer cancel()
	status, err := inspect.MigrationsOf(ctx, db)
	var old *schema.OldHistoryError
	if errors.As(err, &old) {
		return doctor.Finding{Check: "migrations", Level: doctor.Problem, What: old.Error(), Do: "pgmq migrate rebaseline"}, false
	}
	var incomplete *schema.IncompleteError
	if errors.As(err, &incomplete) {
		return doctor.Finding{Check: "migrations", Level: doctor.Problem, What: incomplete.Error(), Do: "pgmq migrate up"}, !incomplete.Gone()
	}
	if err != nil {
		f = doctor.CouldNot(err)
		f.Check = "migrations"
		return f, true
	}
	f = doctor.Finding{Check: "migrations", Level: doctor.Problem}
	newer := status.Newer()
	switch {
	case status.Extension != "":
		f.Level = doctor.OK
		f.What = "schema pgmq was made by CREATE EXTENSION pgmq, version " + status.Extension
	case status.Version == 0:
		f.What = "schema pgmq is not in this database, or is another PGMQ's"
		f.Do = "pgmq migrate up; see docs/adopting.md if PGMQ is here already"
	case status.Pending > 0:
		f.Level = doctor.Warning
		f.What = fmt.Sprintf("%s pending: schema pgmq is at version %d", count(int64(status.Pending), "migration"), status.Version)
		f.Do = "pgmq migrate up"
	case newer > 0:
		f.Level = doctor.Notice
		f.What = fmt.Sprintf("schema pgmq is at version %d, newer than this command by %s", status.Version, count(int64(newer), "migration"))
		f.Do = "update the command: go install github.com/pgmq-go/pgmq/cmd/pgmq@latest"
	default:
		f.Level = doctor.OK
		f.What = fmt.Sprintf("schema pgmq is at version %d, none is pending", status.Version)
	}
	return f, status.Version > 0 || status.Extension != ""
}

// writeFindings writes findings; its error has the exit code for them.
func writeFindings(cmd *cobra.Command, found []doctor.Finding, asJSON bool) error {
	number := map[doctor.Level]int64{}
	for _, f := range found {
		number[f.Level]++
	}
	var err error
	if asJSON {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		err = out.Encode(found)
	} else {
		err = reportFindings(cmd, found)
	}
	if err != nil {
		return err
	}
	if err := printResult(cmd, asJSON, "%s", conclusion(number)); err != nil {
		return err
	}
	switch {
	case number[doctor.Problem] > 0:
		return exitError{code: exitProblems}
	case number[doctor.Unchecked] > 0:
		return exitError{code: exitPartly}
	}
	return nil
}

// conclusion sums findings up in a sentence.
func conclusion(number map[doctor.Level]int64) string {
	var parts []string
	for _, level := range []doctor.Level{doctor.Problem, doctor.Warning, doctor.Notice} {
		if n := number[level]; n > 0 {
			parts = append(parts, count(n, string(level)))
		}
	}
	text := strings.Join(parts, ", ")
	if number[doctor.Problem]+number[doctor.Warning] == 0 {
		text = strings.TrimSuffix("healthy, "+text, ", ")
	}
	if n := number[doctor.Unchecked]; n > 0 {
		text += fmt.Sprintf("; %s could not be made", count(n, "check"))
	}
	return text
}
