package pgerr

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// kind is the subject of an error of the server, and so decides the remedy.
type kind int

const (
	// ofServer is about its state, its load, its settings or its connections, or
	// about a statement of ours. It says nothing about a message, and may be over
	// at the next attempt.
	ofServer kind = iota
	// ofNames is about a name or a privilege: the next attempt meets it again.
	ofNames
	// ofPrivilege is ofNames, and may be ofRow as well: a row-level policy.
	ofPrivilege
	// ofRow is about one row of several: a constraint refuses it, or a trigger. It
	// may pass another time.
	ofRow
	// ofValue is about the contents of one row: no attempt can ever store it.
	ofValue
)

// kinds has the kind of each class of SQLSTATEs, by two characters, and of the
// codes that differ from their class. A class that is not here is ofServer.
var kinds = map[string]kind{
	"21": ofRow,   // cardinality violation: a trigger's or a policy's subquery
	"23": ofRow,   // integrity constraint violation
	"27": ofRow,   // triggered data change violation: a row was left out
	"28": ofNames, // invalid authorization
	"3D": ofNames, // no such database
	"3F": ofNames, // no such schema
	"42": ofNames, // undefined name
	"P0": ofRow,   // PL/pgSQL: raised by a trigger

	"42501": ofPrivilege, // insufficient privilege
	"42P05": ofServer,    // duplicate prepared statement: another client of a pooler

	// Data exceptions. A value that a trigger or a policy computed from a row is the
	// row's: its author can change it.
	"22":    ofRow,
	"22001": ofValue,  // string too long: for a generated column, an index
	"22003": ofValue,  // numeric value out of range
	"22007": ofValue,  // invalid datetime format
	"22008": ofValue,  // datetime out of range: an At or a Delay, too
	"22015": ofValue,  // interval out of range
	"22018": ofValue,  // invalid character value for cast
	"22021": ofValue,  // bytes that the encoding does not have
	"22024": ofValue,  // unterminated C string
	"22026": ofValue,  // string length mismatch
	"22030": ofValue,  // duplicate key in a JSON object
	"22032": ofValue,  // invalid JSON text
	"22P02": ofValue,  // invalid text representation: a number, an escape
	"22P03": ofValue,  // invalid binary representation
	"22P05": ofValue,  // a character that the server's encoding does not have
	"2200H": ofServer, // sequence exhausted

	// Program limits. The rest of them, such as too many arguments, is a trigger's.
	"54":    ofRow,
	"54000": ofValue, // too large: see counters
	"54001": ofValue, // nested beyond max_stack_depth
}

// counters are the files of the server whose limits are the server's although they
// share 54000 with the limits of values: transactions must be vacuumed before any
// more begin, and one transaction has run too many commands. A message's text
// depends on lc_messages; a file's name does not.
const counters = "varsup.c multixact.c xact.c"

// kindOf returns the kind of an error.
func kindOf(pg *pgconn.PgError) kind {
	k, ok := kinds[pg.Code]
	if !ok {
		k = kinds[pg.Code[:min(len(pg.Code), 2)]]
	}
	switch {
	case k != ofValue:
		return k
	case pg.Code == "54000" && pg.File != "" && strings.Contains(counters, pg.File):
		return ofServer
	case strings.Contains(pg.Where, "PL/pgSQL"): // in every language
		return ofRow // a trigger's own computing, such as a counter that is full
	}
	return k
}
