// Package pgerr gives the meaning of the server's errors for a queue. The SQLSTATEs
// are those of appendix A of PostgreSQL's manual.
package pgerr

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The meanings of a missing table or function.
var (
	ErrNoQueue  = errors.New("no such queue")
	ErrNoSchema = errors.New(`schema pgmq is not installed: run "pgmq migrate up" or schema.Migrate`)
)

// ErrNotStored is the meaning of a row that the server did not store although it reported
// no error.
var ErrNotStored = errors.New("not stored: a trigger, a rule or a policy of the table left it out")

// Explain puts ErrNoQueue, ErrNoSchema or ErrNotStored in front of an error that means
// it. Other errors stay as they are.
func Explain(err error) error {
	if NotStored(err) && !errors.Is(err, ErrNotStored) {
		return fmt.Errorf("%w: %w", ErrNotStored, err)
	}
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

// NotStored reports whether a statement did nothing because a row would have been
// left out: pgmq._all_stored found it, or there is a rule that Postgres cannot combine
// with our statements.
func NotStored(err error) bool {
	var pg *pgconn.PgError
	switch code(err) {
	case "27000": // triggered_data_change_violation
		return true
	case "0A000": // feature_not_supported
		return errors.As(err, &pg) && pg.Routine == "RewriteQuery"
	}
	return false
}

// LeftOut returns the inputs that an error of pgmq._all_stored names, from 0.
func LeftOut(err error) (inputs []int) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return nil
	}
	list, ok := strings.CutPrefix(strings.TrimSuffix(pg.Detail, "."), "Left out: ")
	if !ok {
		return nil
	}
	for one := range strings.SplitSeq(list, ", ") {
		if n, err := strconv.Atoi(one); err == nil {
			inputs = append(inputs, n-1)
		}
	}
	return inputs
}

// Forbidden reports whether this role lacks a privilege.
func Forbidden(err error) bool { return code(err) == "42501" }

// Refused reports whether the server refused the values that it was sent, as it
// always will.
func Refused(err error) bool { return of(err) == ofValue }

// Divisible reports whether one row of several may be at fault: its value, a
// constraint, a trigger or a policy. The others may pass without it.
func Divisible(err error) bool {
	k := of(err)
	return k == ofValue || k == ofRow || k == ofPrivilege
}

// GaveWay reports whether the server rolled a transaction back for the sake of
// another. The same may succeed when it is repeated.
func GaveWay(err error) bool {
	switch code(err) {
	case "40001", // serialization failure
		"40P01": // deadlock detected
		return true
	}
	return false
}

// Exceeded reports whether a statement took more time or memory than the server
// gives it.
func Exceeded(err error) bool {
	switch code(err) {
	case "57014", // query canceled, by statement_timeout
		"53200": // out of memory
		return true
	}
	return false
}

// EndedSession reports whether the server ended the session with its last words:
// somebody terminated it, or the server shuts down.
func EndedSession(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch cmp.Or(pg.SeverityUnlocalized, pg.Severity) { // a pooler may send the latter only
	case "FATAL", "PANIC":
		return true
	}
	return false
}

// Damaged reports whether the server could not decode its stored data.
func Damaged(err error) bool { return strings.HasPrefix(code(err), "XX") }

// Attributable reports whether one row of several may be at fault in any way: also by
// an error that a trigger raises under a code of its own. Only an error that every
// statement would meet is no row's fault.
func Attributable(err error) bool {
	switch class(err) {
	case "", "08", "25", "26", "28", "3D", "3F", "53", "57", "58":
		return false
	}
	switch code(err) {
	case "42P01", "42883", "42P05":
		return false
	}
	return true
}

// Contended reports whether a statement gave way: to a lock, to another transaction,
// or to the time that it was allowed.
func Contended(err error) bool {
	switch code(err) {
	case "55P03", // lock_not_available
		"57014": // query_canceled
		return true
	}
	return class(err) == "40" // transaction rollback
}

// Permanent reports whether the next attempt would meet the same error with any
// message.
func Permanent(err error) bool {
	if errors.Is(err, ErrNoQueue) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	k := kindOf(pg) // of a connection that the server refused, too
	return k == ofNames || k == ofPrivilege
}

// ReadOnly reports whether a session does not write: its server is a standby by now,
// or was told so. Another connection may lead to the server that does.
func ReadOnly(err error) bool { return code(err) == "25006" }

// of returns the kind of a statement's error; ofServer for any other error, that of
// a failed connection among them.
func of(err error) kind {
	if pg := statement(err); pg != nil {
		return kindOf(pg)
	}
	return ofServer
}

// class returns the first two characters of a statement's SQLSTATE; "" for any other
// error.
func class(err error) string {
	c := code(err)
	return c[:min(len(c), 2)]
}

// code returns the SQLSTATE of a statement's error; "" for any other error.
func code(err error) string {
	if pg := statement(err); pg != nil {
		return pg.Code
	}
	return ""
}

// statement returns a statement's error of the server; nil for any other error,
// that of a failed connection among them.
func statement(err error) *pgconn.PgError {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || errors.As(err, new(*pgconn.ConnectError)) {
		return nil
	}
	return pg
}
