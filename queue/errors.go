package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/engine"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/table"
)

// The conditions that errors.Is finds. Errors of the server stay in the chain as a
// *pgconn.PgError.
var (
	// ErrNotFound is matched by a LeaseLostError whose messages are all gone.
	ErrNotFound = errors.New("no such message")
	// ErrLeaseLost is matched by every LeaseLostError, and is the cause of a
	// handler's ctx when another reader may have its message.
	ErrLeaseLost = engine.ErrLeaseLost
	// ErrNoQueue is returned when the queue's table does not exist.
	ErrNoQueue = pgerr.ErrNoQueue
	// ErrNoSchema is returned when this database was not migrated.
	ErrNoSchema = pgerr.ErrNoSchema
	// ErrNotStored is returned when the table did not store a message and reported no
	// error: a trigger returned NULL, or a rule or a policy left it out. See
	// [NotStoredError].
	ErrNotStored = pgerr.ErrNotStored
	// ErrInvalidName is returned for a name that no queue can have.
	ErrInvalidName = table.ErrName
	// ErrInvalidOption is returned for an option or argument that is out of its
	// range or does not apply.
	ErrInvalidOption = option.ErrInvalid
	// ErrOutcomeUnknown is returned by a Send whose ctx ended while its message was
	// on its way: the message may have been sent or not.
	ErrOutcomeUnknown = generics.ErrOutcomeUnknown
	// ErrGraceExpired is the cause of a handler's ctx near the end of the
	// ShutdownGrace. It is the error of a Consume that was not done by the end of the
	// ShutdownGrace: handlers still run, or their results could not be recorded.
	ErrGraceExpired = engine.ErrGraceExpired
	// ErrTxOwned is returned by Commit and Rollback of the transaction that ConsumeTx
	// hands to its handler; nothing is done. It matches pgx.ErrTxClosed, too.
	ErrTxOwned = engine.ErrTxOwned
	// ErrTxEnded is the error of a handler that ended the transaction of ConsumeTx by
	// SQL or by tx.Conn.
	ErrTxEnded = engine.ErrTxEnded
)

// EncodeError is a message that cannot be stored; nothing was sent. Its body or its
// headers cannot be encoded, or contain something that Postgres cannot store: NUL
// in a string, invalid UTF-8, half of a surrogate pair, or more than 256 MiB.
// Numbers such as 1e100000 count with all their digits.
type EncodeError struct {
	// Index is the message's place in the batch, from 0; 0 for Send. It is -1
	// when the error is not about one message: it is about the headers, or only the
	// server could find it and did not locate it (numbers out of range, nesting
	// beyond its max_stack_depth).
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

// NotStoredError names the messages that a trigger, a rule or a policy of the queue's
// table left out, without an error of its own. It matches [ErrNotStored]. A send with
// this error sent nothing; a batch can be sent again without those messages.
type NotStoredError struct {
	// Indexes are the places of those messages in the batch, from 0 and rising, up to
	// 1,000 of them; 0 for Send. They are empty when the server did not say.
	Indexes []int
	// IDs are the messages that could not be settled, in rising order. They are in the
	// queue as before.
	IDs []int64
	// Err is ErrNotStored or has it in its chain.
	Err error
}

func (e *NotStoredError) Error() string {
	switch {
	case len(e.IDs) > 0:
		return fmt.Sprintf("message(s) %s stay: %v", list(e.IDs), e.Err)
	case len(e.Indexes) > 0:
		return fmt.Sprintf("message(s) %s of the batch: %v", list(e.Indexes), e.Err)
	}
	return e.Err.Error()
}

// Unwrap returns the reason.
func (e *NotStoredError) Unwrap() error { return e.Err }

// DecodeError is a message that was read and whose body does not decode into T.
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
		found, _, _ := strings.Cut(mismatch.Value, " ") // the rest is the number itself
		return fmt.Sprintf("message %d does not decode: cannot decode JSON %s into Go %v", e.ID, found, mismatch.Type)
	}
	return fmt.Sprintf("message %d does not decode (%T)", e.ID, e.Err)
}

// Unwrap returns the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

// DecodeErrors returns every [*DecodeError] in err: one Read can meet several.
func DecodeErrors(err error) []*DecodeError { return all[*DecodeError](err) }

// all returns every E in the tree of err.
func all[E error](err error) []E {
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case nil:
		return nil
	case E:
		return []E{e}
	case interface{ Unwrap() error }:
		return all[E](e.Unwrap())
	case interface{ Unwrap() []error }:
		var found []E
		for _, branch := range e.Unwrap() {
			found = append(found, all[E](branch)...)
		}
		return found
	}
	return nil
}

// FetchError is a message in the queue or in the archive that cannot be fetched: it is
// damaged, or too large for the link or for the server to write as text.
// DeleteID removes it; ArchiveID and dead letters keep it as it is.
type FetchError struct {
	// ID is the message's id.
	ID int64
	// Err is the reason, from the server or pgx.
	Err error
}

func (e *FetchError) Error() string { return (*fetch.Error)(e).Error() }

// Unwrap returns the reason.
func (e *FetchError) Unwrap() error { return e.Err }

// FetchErrors returns every [*FetchError] in err: one Read can meet several.
func FetchErrors(err error) []*FetchError { return all[*FetchError](err) }

// LeaseLostError names the messages whose receipts no longer held. It matches
// [ErrLeaseLost], and [ErrNotFound] when all of them are gone.
type LeaseLostError struct {
	// IDs are the messages that were left as they are, in rising order.
	IDs []int64
	// Gone are those of them that are not in the queue any more: another holder
	// settled them, or this one did before. The rest were read again.
	Gone []int64
	// Unread are those of them that have no receipt, because they come from Peek,
	// Archived or Pop, whether they are gone or not.
	Unread []int64
}

func (e *LeaseLostError) Error() string {
	var parts []string
	if looked := receipt.Without(e.Unread, e.Gone); len(looked) > 0 {
		parts = append(parts, "only looked at, not read: "+list(looked))
	}
	if taken := receipt.Without(e.IDs, slices.Concat(e.Gone, e.Unread)); len(taken) > 0 {
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
func list[N int | int64](ids []N) string {
	const most = 10
	text := strings.Trim(fmt.Sprint(ids[:min(len(ids), most)]), "[]")
	if len(ids) > most {
		text += " …"
	}
	return text
}
