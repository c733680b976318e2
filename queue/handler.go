package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
)

// Handler does the work that a message asks for. It returns nil when the work is
// done, and an error when it must be tried again: after the [Backoff], or as
// [RetryIn], [DeadLetter] and [Discard] say. A panic is an error, too.
//
// ctx ends with the cause [ErrLeaseLost] when somebody else may have the message
// by now, whatever the handler returns then is not recorded; and with
// [ErrStopped] when Grace is over. It does not end when Consume's own ctx does.
// A handler leaves settling to its caller.
type Handler[T any] func(ctx context.Context, m *Message[T]) error

// TxHandler is a Handler whose writes in tx become real together with the
// settling of the message, or never were. It neither commits nor rolls back.
type TxHandler[T any] func(ctx context.Context, tx pgx.Tx, m *Message[T]) error

// BatchHandler is a Handler for several messages, at least one. An error holds
// for all of them, unless it is [Failures]. When the lease of one is lost, ctx
// ends for all; what is settled is still decided message by message.
type BatchHandler[T any] func(ctx context.Context, msgs []*Message[T]) error

// Chain wraps a handler in middleware; the first is the outermost.
func Chain[T any](handle Handler[T], middleware ...func(Handler[T]) Handler[T]) Handler[T] {
	for i := len(middleware) - 1; i >= 0; i-- {
		handle = middleware[i](handle)
	}
	return handle
}

// Timeout is middleware that ends the handler's ctx after d.
func Timeout[T any](d time.Duration) func(Handler[T]) Handler[T] {
	return func(next Handler[T]) Handler[T] {
		return func(ctx context.Context, m *Message[T]) error {
			ctx, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			return next(ctx, m)
		}
	}
}

// RetryIn is the error of a handler that wants the message back after d, at once
// for 0 or less, whatever the Backoff says. MaxReads still counts. err may be nil.
func RetryIn(d time.Duration, err error) error {
	return &verdict{err: err, act: actRetry, after: max(d, 0)}
}

// DeadLetter is the error of a handler that knows that trying again is in vain:
// the message goes to the DeadLetterTo queue, or else to the archive, marked as
// failed. err, which may be nil, is told there.
func DeadLetter(err error) error { return &verdict{err: err, act: actDeadLetter} }

// Discard is the error of a handler that will never do this work, and wants
// nobody to look at it: the message goes to the archive, marked as failed, even
// when there is a DeadLetterTo queue. err may be nil.
func Discard(err error) error { return &verdict{err: err, act: actDiscard} }

// Failures is the error of a BatchHandler that did some of its work: the
// messages of these ids failed, with these errors; the others are done.
type Failures map[int64]error

func (f Failures) Error() string { return fmt.Sprintf("%d message(s) of the batch failed", len(f)) }

// PanicError is what a handler panicked with.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errNoReturn is the result of a handler that ended its goroutine.
var errNoReturn = errors.New("the handler did not return: runtime.Goexit")

// guard runs a handler and turns its panic into an error.
func guard(handle func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return handle()
}

// act is what becomes of a message after its handler.
type act int

const (
	actNothing act = iota // it is settled already, or not ours any more
	actDelete
	actArchive
	actRetry
	actDeadLetter
	actDiscard
)

// verdict is an error of a handler that says what becomes of the message.
type verdict struct {
	err   error
	act   act
	after time.Duration // of actRetry
}

func (v *verdict) Error() string {
	what := map[act]string{
		actRetry:      fmt.Sprintf("retry in %v", v.after),
		actDeadLetter: "dead letter",
		actDiscard:    "discard",
	}[v.act]
	if v.err == nil {
		return what
	}
	return what + ": " + v.err.Error()
}

func (v *verdict) Unwrap() error { return v.err }
