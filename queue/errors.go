package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/generics"
)

// What can go wrong, for errors.Is. Errors of the database stay in the chain as
// a *pgconn.PgError.
var (
	// ErrEmpty is returned by Pop when no message is visible.
	ErrEmpty = errors.New("no message is visible")
	// ErrNotFound is matched by a LeaseLostError whose messages are all gone.
	ErrNotFound = errors.New("no such message")
	// ErrLeaseLost is matched by every LeaseLostError.
	ErrLeaseLost = errors.New("lease lost")
	// ErrNoQueue is returned when the queue's table does not exist.
	ErrNoQueue = errors.New("no such queue")
	// ErrNoSchema is returned when this database was not migrated.
	ErrNoSchema = errors.New(`schema pgmq is not installed: run "pgmq migrate up" or schema.Migrate`)
	// ErrName is returned for a name that no queue can have.
	ErrName = errors.New("invalid queue name")
	// ErrUnknown is returned by a Send whose ctx ended while its message was on
	// its way: it may have been sent or not.
	ErrUnknown = generics.ErrOutcomeUnknown
	// ErrStopped is the cause of a handler's ctx when Grace is over, and the error
	// of a Consume that was not done by then: handlers still run, or their results
	// could not be recorded.
	ErrStopped = errors.New("the consumer stopped before all was done")
	// ErrOption is returned for an option or argument out of its range.
	ErrOption = errors.New("invalid option")
)

// EncodeError is a message that cannot be stored; nothing was sent. Its body, or
// the headers, cannot be encoded or contain what Postgres has no place for: NUL
// in a string, invalid UTF-8, half of a surrogate pair, more than 256 MiB.
type EncodeError struct {
	// Index is the message's place in the batch, from 0; 0 for Send. It is -1
	// when it is not one message: the headers, or what only the server could
	// find and did not locate (numbers out of range, nesting beyond its
	// max_stack_depth).
	Index int
	// Err is the reason.
	Err error
}

func (e *EncodeError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("cannot be stored: %v", e.Err)
	}
	return fmt.Sprintf("message %d cannot be stored: %v", e.Index, e.Err)
}

// Unwrap returns the reason.
func (e *EncodeError) Unwrap() error { return e.Err }

// DecodeError is a message that was read and whose body is no T.
type DecodeError struct {
	// ID is the message's id.
	ID int64
	// Raw is its body. It is not part of the error's text.
	Raw json.RawMessage
	// Err is the error of encoding/json or of T's UnmarshalJSON. Its text may
	// quote the body.
	Err error
}

// Error names the kind of the mistake only: the text of Err may quote the body.
func (e *DecodeError) Error() string {
	var mismatch *json.UnmarshalTypeError
	if errors.As(e.Err, &mismatch) {
		found, _, _ := strings.Cut(mismatch.Value, " ") // behind it comes the number itself
		return fmt.Sprintf("message %d does not decode: a %s cannot become a Go %v", e.ID, found, mismatch.Type)
	}
	return fmt.Sprintf("message %d does not decode (%T)", e.ID, e.Err)
}

// Unwrap returns the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

// DecodeErrors returns every [*DecodeError] in err: one Read can meet several.
func DecodeErrors(err error) []*DecodeError {
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case nil:
		return nil
	case *DecodeError:
		return []*DecodeError{e}
	case interface{ Unwrap() error }:
		return DecodeErrors(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*DecodeError
		for _, branch := range e.Unwrap() {
			all = append(all, DecodeErrors(branch)...)
		}
		return all
	}
	return nil
}

// LeaseLostError names the messages whose receipts no longer held. It matches
// [ErrLeaseLost], and [ErrNotFound] when all of them are gone.
type LeaseLostError struct {
	// IDs are the messages that were left as they are, in rising order.
	IDs []int64
	// Gone are those of them that are not in the queue any more: settled by
	// another holder, or by this one before. The rest were read again.
	Gone []int64
	// Unread are those of them that have no receipt, because they were not read
	// but come from Peek, Archived or Pop, whether they are gone or not.
	Unread []int64
}

func (e *LeaseLostError) Error() string {
	var parts []string
	if looked := without(e.Unread, e.Gone); len(looked) > 0 {
		parts = append(parts, "only looked at, not read: "+list(looked))
	}
	if taken := without(e.IDs, slices.Concat(e.Gone, e.Unread)); len(taken) > 0 {
		parts = append(parts, "read again by another: "+list(taken))
	}
	if len(e.Gone) > 0 {
		parts = append(parts, "no longer in the queue: "+list(e.Gone))
	}
	return fmt.Sprintf("%v on %d message(s): %s", ErrLeaseLost, len(e.IDs), strings.Join(parts, "; "))
}

// Is matches ErrLeaseLost and, when every message is gone, ErrNotFound.
func (e *LeaseLostError) Is(target error) bool {
	return target == ErrLeaseLost || (target == ErrNotFound && len(e.Gone) == len(e.IDs))
}

// list names the first few ids.
func list(ids []int64) string {
	const most = 10
	text := strings.Trim(fmt.Sprint(ids[:min(len(ids), most)]), "[]")
	if len(ids) > most {
		text += " …"
	}
	return text
}

// explain puts the name of what happened in front of an error of the server.
func explain(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "42P01": // undefined_table
		return fmt.Errorf(`%w: make it with queue.Create or "pgmq queue create": %w`, ErrNoQueue, err)
	case "3F000", "42883": // invalid_schema_name, undefined_function
		return fmt.Errorf("%w: %w", ErrNoSchema, err)
	}
	return err
}

// refused tells whether the server would not take the values that it was sent.
func refused(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || errors.As(err, new(*pgconn.ConnectError)) {
		return false // not even connected
	}
	const dataException, programLimitExceeded = "22", "54"
	class := pg.Code[:min(len(pg.Code), 2)]
	return class == dataException || class == programLimitExceeded
}
