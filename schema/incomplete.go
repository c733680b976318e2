package schema

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3/database"
)

// An IncompleteError says that the version table and the database disagree: objects
// that the applied migrations made are missing. Somebody dropped them, or restored one
// without the other. The database is right: [Migrate] applies all migrations
// anew and keeps the existing queues and messages.
type IncompleteError struct {
	Version int64 // by the version table
	// Missing names the missing objects, such as "function pgmq.send", or "schema pgmq"
	// alone when all are missing.
	Missing []string
}

func (e *IncompleteError) Error() string {
	const named = 3
	missing := strings.Join(e.Missing[:min(named, len(e.Missing))], ", ")
	if more := len(e.Missing) - named; more > 0 {
		missing += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s says version %d, but %s is not there: run \"pgmq migrate up\" or schema.Migrate, "+
		"which begins anew and keeps the queues and messages that are there", VersionTable, e.Version, missing)
}

// Gone reports whether nothing of schema pgmq is left.
func (e *IncompleteError) Gone() bool { return len(e.Missing) == 1 && e.Missing[0] == "schema pgmq" }

// object is an object that a migration makes. Functions that differ only in their
// arguments are several objects with one name.
type object struct {
	Kind    string `json:"kind"` // function, table or type
	Name    string `json:"name"`
	Version int64  `json:"version"` // of the migration
}

// makes finds the objects that a migration makes for good. Objects that it makes and
// drops again are indented.
var makes = regexp.MustCompile(`(?m)^(?:CREATE OR REPLACE (?:FUNCTION|PROCEDURE)|CREATE (TABLE)(?: IF NOT EXISTS)?| +CREATE (TYPE)) pgmq\.(\w+)`)

// objects returns the objects that all migrations make, and the version of the last one.
func objects() (all []object, newest int64, err error) {
	files, err := fs.Glob(FS, "*.sql")
	if err != nil {
		return nil, 0, fmt.Errorf("schema: %w", err)
	}
	for _, file := range files { // in order: fs.Glob sorts
		number, _, _ := strings.Cut(file, "_")
		if newest, err = strconv.ParseInt(number, 10, 64); err != nil {
			return nil, 0, fmt.Errorf("schema: %w", err)
		}
		text, err := FS.ReadFile(file)
		if err != nil {
			return nil, 0, fmt.Errorf("schema: %w", err)
		}
		if strings.HasPrefix(string(text), "-- +goose NO TRANSACTION") {
			continue // its objects and its entry do not come and go together
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down\n")
		for _, m := range makes.FindAllStringSubmatch(up, -1) {
			kind := strings.ToLower(m[1] + m[2])
			if kind == "" {
				kind = "function"
			}
			all = append(all, object{Kind: kind, Name: m[3], Version: newest})
		}
	}
	return all, newest, nil
}

// checkComplete returns an [*IncompleteError] if objects of the listed migrations are
// missing. It is one statement, and so sees a running migration as a whole or not at
// all. It reads the catalogue, because a role that checks may lack
// USAGE on the schema. For a newer history it checks only that the schema exists.
func checkComplete(ctx context.Context, db database.DBTxConn) error {
	all, newest, err := objects()
	if err != nil {
		return err
	}
	list, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	var version int64
	var there bool
	var missing string
	err = db.QueryRowContext(ctx, `
		WITH history AS (
			SELECT coalesce(max(version_id), 0) AS version FROM `+VersionTable+` WHERE is_applied
		),
		made AS (
			SELECT 'function' AS kind, p.proname AS name
			FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
			WHERE n.nspname = 'pgmq'
			UNION ALL
			SELECT CASE c.relkind WHEN 'c' THEN 'type' ELSE 'table' END, c.relname
			FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
			WHERE n.nspname = 'pgmq' AND c.relkind IN ('c', 'r')
		),
		missing AS (
			SELECT o.kind, o.name
			FROM jsonb_to_recordset($1::jsonb) AS o (kind text, name text, version bigint), history AS h
			WHERE o.version <= h.version AND h.version <= $2
			GROUP BY o.kind, o.name
			HAVING count(*) > (SELECT count(*) FROM made AS m WHERE m.kind = o.kind AND m.name = o.name)
		)
		SELECT
			h.version, EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'pgmq'),
			coalesce((SELECT string_agg(m.kind || ' pgmq.' || m.name, ', ' ORDER BY m.kind DESC, m.name) FROM missing AS m), '')
		FROM history AS h`, string(list), newest).Scan(&version, &there, &missing)
	switch {
	case err != nil:
		return fmt.Errorf("schema: %w", err)
	case version > 0 && !there:
		return &IncompleteError{Version: version, Missing: []string{"schema pgmq"}}
	case missing != "":
		return &IncompleteError{Version: version, Missing: strings.Split(missing, ", ")}
	}
	return nil
}
