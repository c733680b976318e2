package queue

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/engine"
)

// Handler does the work that a message asks for. It returns nil when the work is
// done. It returns an error to get the message again: after the [Backoff], or as
// [RetryIn], [DeadLetter] and [Discard] say. A panic counts as an error.
//
// ctx ends with the cause [ErrLeaseLost] when another reader may have the message;
// the handler's result is not recorded then. It ends with [ErrGraceExpired] near the
// end of the ShutdownGrace, and after the [HandlerTimeout]. It does not end when
// Consume's own ctx does. A handler does not settle its message itself.
type Handler[T any] func(ctx context.Context, m *Message[T]) error

// TxHandler is a Handler whose writes in tx commit together with the settling of the
// message, or roll back. ConsumeTx ends tx: Commit and Rollback change nothing
// and return [ErrTxOwned], so that a deferred Rollback does no harm; to roll back,
// return an error. Savepoints (tx.Begin) work as usual. tx must not be used after the
// handler has returned.
//
// A handler that ends the transaction all the same, by SQL or by tx.Conn, makes the
// message a dead letter with [ReasonTxEnded] and [ErrTxEnded], regardless of its
// result: its writes may have been committed, and must not be written twice.
type TxHandler[T any] func(ctx context.Context, tx pgx.Tx, m *Message[T]) error

// BatchHandler is a Handler for several messages, at least one. An error holds for
// all of them, unless it is [Failures]. When the lease of one is lost, ctx ends for
// all; the results are still recorded message by message.
type BatchHandler[T any] func(ctx context.Context, msgs []*Message[T]) error

// RetryIn is the error of a handler that wants the message back after d, in place of
// the Backoff; at once for 0 or less. MaxReads still counts. err may be nil.
func RetryIn(d time.Duration, err error) error {
	return &engine.Outcome{Err: err, Disposition: engine.Retry, After: max(d, 0)}
}

// DeadLetter is the error of a handler that can never succeed: the message goes to
// the DeadLetterTo queue or, by default, to the archive, marked as failed. The text
// of err, which may be nil, is kept there.
func DeadLetter(err error) error {
	return &engine.Outcome{Err: err, Disposition: engine.DeadLetter}
}

// Discard is the error of a handler that can never succeed, for a message that
// nobody needs to look at: it goes to the archive, marked as failed, even when there
// is a DeadLetterTo queue. err may be nil.
func Discard(err error) error {
	return &engine.Outcome{Err: err, Disposition: engine.Discard}
}

// Failures is the error of a BatchHandler that did some of its work: the messages of
// these ids failed, with these errors; the others are done. An id that is not of the
// batch fails the whole batch.
type Failures map[int64]error

func (f Failures) Error() string { return fmt.Sprintf("%d message(s) of the batch failed", len(f)) }

// PanicError is the error of a handler that panicked, or of another function of the
// user's: an [Observer], a [Backoff], the done of SendAsync, MarshalJSON and
// UnmarshalJSON of a body, the methods of an error that a handler returned.
type PanicError struct {
	Value any
	Stack []byte

	what string // the function that panicked; "" is the handler
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("%s panicked: %v", cmp.Or(e.what, "the handler"), e.Value)
}

// StackTrace returns Stack, for the dead letter.
func (e *PanicError) StackTrace() []byte { return e.Stack }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
