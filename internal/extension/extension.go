// Package extension writes the migrations as a Postgres extension: the files that
// CREATE EXTENSION pgmq needs on a self-hosted server.
package extension

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/pgmq-go/pgmq/schema"
)

// api is the version of PGMQ whose functions the migrations install. Clients read it
// from pg_extension.extversion.
const api = "1.13.1"

const control = `comment = 'A message queue on plain Postgres'
default_version = '%s'
schema = pgmq
relocatable = false
superuser = false
trusted = true
`

// In a migrated database the extension changes nothing. It exists there for clients
// that run CREATE EXTENSION when they start.
//
// The tables of queues are not members of the extension: they stay when it is
// dropped. The tables that list the queues are members, so that pg_dump and
// pg_restore handle them correctly. When the extension is created again, the second
// migration rebuilds pgmq.meta from the queues' tables.
const script = `-- Made from the migrations in schema/. Do not edit.
\echo Use "CREATE EXTENSION pgmq" to load this file. \quit
DO $extension$
BEGIN
    IF to_regclass('pgmq.meta') IS NOT NULL THEN
        RAISE NOTICE 'schema pgmq is there already, and stays as it is';
        RETURN;
    END IF;
    EXECUTE $migrations$
%s
$migrations$;

    PERFORM pg_catalog.pg_extension_config_dump('pgmq.meta', '');
    PERFORM pg_catalog.pg_extension_config_dump('pgmq.topic_bindings', '');
    PERFORM pg_catalog.pg_extension_config_dump('pgmq.notify_insert_throttle', '');
    PERFORM pg_catalog.pg_extension_config_dump('pgmq.partitioned_tables', '');
END $extension$;
`

// Write writes pgmq.control and the script to dir, and makes dir if necessary. It
// returns the extension's version: the version of PGMQ's API, followed by the number
// of the last migration.
func Write(dir string) (version string, err error) {
	files, err := fs.Glob(schema.FS, "*.sql")
	if err != nil {
		return "", err
	}
	var up []string
	for _, file := range files { // in order: fs.Glob sorts
		text, err := fs.ReadFile(schema.FS, file)
		if err != nil {
			return "", err
		}
		statements, err := upOf(string(text))
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		up = append(up, statements)
	}
	last, _, _ := strings.Cut(files[len(files)-1], "_")
	n, err := strconv.Atoi(last)
	if err != nil {
		return "", err
	}
	version = fmt.Sprintf("%s.%d", api, n)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the server's user reads it
		return "", err
	}
	for name, text := range map[string]string{
		"pgmq.control":              fmt.Sprintf(control, version),
		"pgmq--" + version + ".sql": fmt.Sprintf(script, strings.Join(up, "\n")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // the server's user reads it
			return "", err
		}
	}
	return version, nil
}

var (
	annotation = regexp.MustCompile(`(?m)^-- \+goose .*\n`)
	// CREATE EXTENSION creates the schema, so that it does not become a member.
	ownSchema = "CREATE SCHEMA IF NOT EXISTS pgmq;\n"
)

// upOf returns the statements of a migration's Up part.
func upOf(migration string) (string, error) {
	_, up, ok := strings.Cut(migration, "-- +goose Up\n")
	up, _, ok2 := strings.Cut(up, "-- +goose Down\n")
	if !ok || !ok2 || strings.Contains(up, "$migrations$") {
		return "", errors.New("not a migration of the usual form")
	}
	return annotation.ReplaceAllString(strings.Replace(up, ownSchema, "", 1), ""), nil
}
