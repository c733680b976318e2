// Package fetch fetches messages from a queue although some of them may be impossible to
// fetch: too large for the link, or for the server to write as text, or damaged.
//
// A statement finds messages and sends the small ones along. A large one stays
// apart and is fetched by itself, so that it holds up no other. When the statement
// fails all the same, it is repeated with all of them apart: then each message fails
// alone.
package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/receipt"
	"github.com/pgmq-go/pgmq/internal/table"
)

// The numbers of bytes in the table from which on a message stays apart.
const (
	Large = 256 << 10     // as usual
	All   = -1            // after a failure: every message stays apart
	None  = math.MaxInt32 // of a message that is fetched by itself
)

// BodyTime is the time for one message that is fetched apart, where nothing else
// limits it.
const BodyTime = 30 * time.Second

// ErrGone says that a message which was to be fetched apart was read again or
// settled meanwhile.
var ErrGone = errors.New("it was read again or settled meanwhile")

// Error is a message that cannot be fetched.
type Error struct {
	ID  int64
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("message %d cannot be fetched: %v", e.ID, e.Err) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

var queries = db.New()

// Row is a message that a statement found.
type Row struct {
	db.Message
	Stored int32 // bytes in the table, of body and headers
	Apart  bool  // they are still there
}

// Read returns the rows of a read with a limit for the bodies that come along.
func Read(rows []db.ReadRow, apart int32) []Row {
	found := make([]Row, 0, len(rows))
	for _, r := range rows {
		if r.Found {
			found = append(found, row(db.Message{
				MsgID: r.MsgID, ReadCt: r.ReadCt, EnqueuedAt: r.EnqueuedAt, LastReadAt: &r.LastReadAt,
				VT: r.VT, Message: r.Message, Headers: r.Headers,
			}, r.Stored, apart))
		}
	}
	return found
}

// ReadID is Read for a read by ids.
func ReadID(rows []db.ReadIDRow, apart int32) []Row {
	found := make([]Row, len(rows))
	for i, r := range rows {
		found[i] = row(db.Message{
			MsgID: r.MsgID, ReadCt: r.ReadCt, EnqueuedAt: r.EnqueuedAt, LastReadAt: r.LastReadAt,
			VT: r.VT, Message: r.Message, Headers: r.Headers,
		}, r.Stored, apart)
	}
	return found
}

// Peek is Read for Peek.
func Peek(rows []db.PeekRow, apart int32) []Row {
	found := make([]Row, len(rows))
	for i, r := range rows {
		found[i] = row(db.Message{
			MsgID: r.MsgID, ReadCt: r.ReadCt, EnqueuedAt: r.EnqueuedAt, LastReadAt: r.LastReadAt,
			VT: r.VT, Message: r.Message, Headers: r.Headers,
		}, r.Stored, apart)
	}
	return found
}

func row(m db.Message, stored, apart int32) Row { return Row{m, stored, stored > apart} }

// Narrowed runs a statement with the usual limit, and again with every message
// apart when the server says that it failed: a row may be at fault.
func Narrowed[R any](find func(apart int32) ([]R, error)) (found []R, apart int32, err error) {
	found, err = find(Large)
	if err == nil || !OfRow(err) {
		return found, Large, err
	}
	found, err = find(All)
	return found, All, err
}

// OfRow reports whether an error of a statement may be that of one of its rows.
func OfRow(err error) bool {
	switch {
	case errors.As(err, new(*pgconn.ConnectError)), pgerr.EndedSession(err), pgerr.Permanent(err):
		return false
	}
	return pgerr.Attributable(err) || pgerr.Exceeded(err)
}

// Each calls body for the rows that are apart, the smallest first, and returns the
// rows that are whole then, by id, and an error for each other.
func Each(rows []Row, body func(Row) (db.Message, error)) (whole []db.Message, failed []*Error) {
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Or(cmp.Compare(a.Stored, b.Stored), cmp.Compare(a.MsgID, b.MsgID)) })
	for _, r := range rows {
		m, err := r.Message, error(nil)
		if r.Apart {
			m, err = body(r)
		}
		switch {
		case err == nil:
			whole = append(whole, m)
		case !errors.Is(err, ErrGone):
			failed = append(failed, &Error{ID: r.MsgID, Err: err})
		}
	}
	slices.SortFunc(whole, func(a, b db.Message) int { return cmp.Compare(a.MsgID, b.MsgID) })
	return whole, failed
}

// Whole fetches one message of the queue by its id.
func Whole(ctx context.Context, on db.DBTX, id int64) (db.Message, error) {
	rows, err := table.Run(ctx, on, queries.Peek, db.PeekParams{Apart: None, FromID: id, ToID: id, N: 1})
	if err == nil && len(rows) == 0 {
		err = ErrGone
	}
	if err != nil {
		return db.Message{}, err
	}
	return Peek(rows, None)[0].Message, nil
}

// Held is Whole for a message that is still read as it was.
func Held(ctx context.Context, on db.DBTX, read db.Message) (db.Message, error) {
	m, err := Whole(ctx, on, read.MsgID)
	if err == nil && !receipt.Of(&m).Same(receipt.Of(&read)) {
		err = ErrGone
	}
	return m, err
}

// Limited returns a ctx for one message that is fetched apart: a deadline of the
// caller's holds; without one BodyTime does.
func Limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, BodyTime, fmt.Errorf("it did not arrive within %v", BodyTime))
}
