package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/doctor"
	"github.com/pgmq-go/pgmq/schema"
)

func doctorCommand(t *target) *cobra.Command {
	var openFor time.Duration
	var asJSON bool
	examine := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the server and the queues, and say what to do",
		Long: `Examine the server and the queues, and say what is the matter and what to do.

It changes nothing, waits for no lock for long, and counts no queue. What it
finds is a problem, a warning, or a notice, which may be as it should be. What
the role may not see, or is locked, is unchecked.

It exits with 4 when there are problems; with 3 when there are none, but not
everything could be checked; else with 0. 1 is for a server without an answer.`,
		Example: `  pgmq doctor
  pgmq doctor --json | jq '.[] | select(.level == "problem")'
  pgmq doctor --max-transaction 10m`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if openFor <= 0 {
				return usage(cmd, errors.New("--max-transaction has to be longer than 0"))
			}
			return withCarefulPool(cmd, t, func(pool *pgxpool.Pool) error {
				found := examination(cmd.Context(), pool, openFor)
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				return writeFindings(cmd, found, asJSON)
			})
		},
	}
	examine.Flags().DurationVar(&openFor, "max-transaction", time.Minute, "transactions may be open so `long`")
	jsonFlag(examine, &asJSON, "as a JSON array")
	return examine
}

// withCarefulPool is withPool for a database that a pooler may stand before, of
// which nobody told us: it leaves nothing prepared in its sessions.
func withCarefulPool(cmd *cobra.Command, t *target, do func(*pgxpool.Pool) error) error {
	config, err := t.config()
	if err != nil {
		return err
	}
	if config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	pool, err := dial(cmd.Context(), config)
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(pool)
}

// examinationTime is for a server that stops to answer meanwhile.
const examinationTime = 45 * time.Second

// examination is all that there is to find out.
func examination(ctx context.Context, pool *pgxpool.Pool, openFor time.Duration) []doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, examinationTime)
	defer cancel()
	patient := doctor.New(pool, openFor)
	found := patient.Server(ctx)
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	migrations, migrated := migrationsFinding(ctx, db)
	found = append(found, migrations)
	if !migrated {
		return found
	}
	return append(found, patient.Queues(ctx)...)
}

// migrationsFinding tells how the schema is, and whether there is any.
func migrationsFinding(ctx context.Context, db *sql.DB) (f doctor.Finding, migrated bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // for a lock
	defer cancel()
	all, err := history(ctx, db)
	var old *schema.OldHistoryError
	if errors.As(err, &old) {
		return doctor.Finding{Check: "migrations", Level: doctor.Problem, What: old.Error(), Do: "pgmq migrate rebaseline"}, false
	}
	if err != nil {
		f = doctor.CouldNot(err)
		f.Check = "migrations"
		return f, true
	}
	f = doctor.Finding{Check: "migrations", Level: doctor.Problem}
	status := statusOf(all)
	newer := 0
	for _, m := range all {
		if m.File == "" {
			newer++
		}
	}
	switch {
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
	return f, status.Version > 0
}

// writeFindings ends with the exit code that they deserve.
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
	if err := say(cmd, asJSON, "%s", conclusion(number)); err != nil {
		return err
	}
	switch {
	case number[doctor.Problem] > 0:
		return ending{code: exitProblems}
	case number[doctor.Unchecked] > 0:
		return ending{code: exitPartly}
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
