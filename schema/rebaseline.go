package schema

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

//go:embed rebaseline/names.sql
var rebaselineNames string

// replaceable are the statements of a migration that may run again: functions,
// procedures, types that are not there yet, comments, and replica identities.
var replaceable = regexp.MustCompile(
	`(?ms)^-- \+goose StatementBegin\n((?:CREATE OR REPLACE (?:FUNCTION|PROCEDURE) |DO \$\$\nBEGIN\n    IF to_regtype\().*?)\n-- \+goose StatementEnd$` +
		`|^(COMMENT ON .*?';|SELECT pgmq\._set_replica_identity\([^;]*;)$`)

// Rebaseline takes a database from version 22 of the history before the first
// release to the present history, in one transaction. Queues, messages, archives,
// bindings and privileges stay; clients of the same release as this package find
// its functions, older ones do not. It does nothing to a database that has no such
// history, and returns an [*OldHistoryError] for a version below 22.
//
// The role has to own the objects in schema pgmq.
func Rebaseline(ctx context.Context, db *sql.DB) error {
	var old *OldHistoryError
	if err := Check(ctx, db); err == nil || !errors.As(err, &old) || old.Version != newestOld {
		return err
	}
	script, err := RebaselineSQL()
	if err != nil {
		return err
	}
	if err := inTx(ctx, db, script); err != nil {
		// Another process may have done it meanwhile.
		if Check(ctx, db) == nil {
			return nil
		}
		return fmt.Errorf("schema: rebaseline: %w", err)
	}
	return nil
}

// RebaselineSQL returns the script that [Rebaseline] runs, for psql --single-transaction.
func RebaselineSQL() (string, error) {
	files, err := fs.Glob(FS, "*.sql")
	if err != nil {
		return "", fmt.Errorf("schema: %w", err)
	}
	var script strings.Builder
	script.WriteString(rebaselineNames)
	versions := make([]string, len(files))
	for i, file := range files { // in order: fs.Glob sorts
		number, _, _ := strings.Cut(file, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return "", fmt.Errorf("schema: %w", err)
		}
		versions[i] = fmt.Sprintf("(%d, true)", version)
		text, err := FS.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("schema: %w", err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down\n")
		for _, m := range replaceable.FindAllStringSubmatch(up, -1) {
			script.WriteString("\n" + m[1] + m[2] + "\n")
		}
	}
	fmt.Fprintf(&script, "\nDELETE FROM %[1]s WHERE version_id > 0;\nINSERT INTO %[1]s (version_id, is_applied) VALUES %[2]s;\n",
		VersionTable, strings.Join(versions, ", "))
	return script.String(), nil
}

// inTx runs a script as one transaction.
func inTx(ctx context.Context, db *sql.DB, script string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, script); err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	return tx.Commit() //nolint:wrapcheck // by the caller
}
