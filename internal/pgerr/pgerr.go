// Package pgerr says what an error of the server means for a queue. The SQLSTATEs
// are those of appendix A of PostgreSQL's manual.
package pgerr

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a missing table or function means.
var (
	ErrNoQueue  = errors.New("no such queue")
	ErrNoSchema = errors.New(`schema pgmq is not installed: run "pgmq migrate up" or schema.Migrate`)
)

// Explain puts ErrNoQueue or ErrNoSchema in front of an error that means it. Other
// errors stay as they are.
func Explain(err error) error {
	switch code(err) {
	case "42P01": // undefined_table
		return fmt.Errorf(`%w: create it with admin.Create or "pgmq queue create": %w`, ErrNoQueue, err)
	case "3F000", "42883": // invalid_schema_name, undefined_function
		return fmt.Errorf("%w: %w", ErrNoSchema, err)
	}
	return err
}

// NoTable reports whether a table is missing.
func NoTable(err error) bool { return code(err) == "42P01" }

// Forbidden reports whether this role lacks a privilege.
func Forbidden(err error) bool { return code(err) == "42501" }

// Refused reports whether the server refused the values that it was sent.
func Refused(err error) bool {
	switch class(err) {
	case "22", // data exception
		"54": // program limit exceeded
		return true
	}
	return false
}

// Divisible reports whether one row of several may be at fault: its value, a
// constraint, a trigger or a policy. The others may pass without it.
func Divisible(err error) bool {
	switch class(err) {
	case "21", // cardinality violation
		"22", // data exception
		"23", // integrity constraint violation
		"54", // program limit exceeded
		"P0": // PL/pgSQL
		return true
	}
	return code(err) == "42501" // insufficient_privilege: a row-level policy's, too
}

// Damaged reports whether the server could not make sense of what it has stored.
func Damaged(err error) bool { return class(err) == "XX" }

// Permanent reports whether the next attempt will meet the same error.
func Permanent(err error) bool {
	if errors.Is(err, ErrNoQueue) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code == "42P05" { // duplicate prepared statement: another client of a pooler
		return false
	}
	switch pg.Code[:min(len(pg.Code), 2)] {
	case "28", // invalid authorization
		"3D", // no such database
		"3F", // no such schema
		"42": // undefined name, or no permission
		return true
	}
	return false
}

// class returns the first two characters of the code.
func class(err error) string {
	code := code(err)
	return code[:min(len(code), 2)]
}

// code returns the SQLSTATE of a statement's error; "" for any other error, that
// of a failed connection among them.
func code(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || errors.As(err, new(*pgconn.ConnectError)) {
		return ""
	}
	return pg.Code
}
