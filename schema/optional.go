package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// An Optional is another SQL API over the same queues. It is no migration: it
// is there from [Install] to [Uninstall], in any database that was migrated.
type Optional string

const (
	// LegacyNames are the names of PGMQ's first releases: pgmq_create,
	// pgmq_send, pgmq_read and so on, in schema public.
	LegacyNames Optional = "legacy_names"
	// PublicWrappers is schema pgmq_public, as PostgREST and Supabase's clients
	// call it; docs/pgmq_public.md lists the grants that a queue needs.
	PublicWrappers Optional = "pgmq_public"
)

// Optionals returns all optional APIs.
func Optionals() []Optional { return []Optional{LegacyNames, PublicWrappers} }

// Install makes an optional API, all of it or nothing; again, it brings the
// functions and their grants up to date. It refuses while a function of
// somebody else has one of its names.
//
// The role needs CREATE on schema public for [LegacyNames]; for
// [PublicWrappers] on the database, and it has to own schema pgmq.
func Install(ctx context.Context, db *sql.DB, o Optional) error {
	return o.run(ctx, db, "up")
}

// Uninstall removes the objects that [Install] made and no others. A missing object is
// no error.
func Uninstall(ctx context.Context, db *sql.DB, o Optional) error {
	return o.run(ctx, db, "down")
}

// Installed tells whether an optional API is there.
func Installed(ctx context.Context, db *sql.DB, o Optional) (bool, error) {
	var found bool
	// The marker, without which Install takes a function for somebody else's.
	err := db.QueryRowContext(ctx, `
		SELECT EXISTS (
			SELECT FROM pg_catalog.pg_proc
			WHERE pronamespace IN (to_regnamespace('public'), to_regnamespace('pgmq_public'))
				AND starts_with(ltrim(prosrc, E' \t\r\n'), '/* pgmq api: ' || $1::text || ' */')
		)`, string(o)).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("schema: %s: %w", o, err)
	}
	return found, nil
}

// run executes one of the API's files, a single statement.
func (o Optional) run(ctx context.Context, db *sql.DB, direction string) error {
	if !slices.Contains(Optionals(), o) {
		return fmt.Errorf("schema: no optional API %q", string(o))
	}
	text, err := FS.ReadFile(fmt.Sprintf("optional/%s.%s.sql", o, direction))
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if _, err := db.ExecContext(ctx, string(text)); err != nil {
		return fmt.Errorf("schema: %s: %w", o, err)
	}
	return nil
}
