package queue

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/internal/guard"
)

// guarded calls a function of the user's and turns its panic into an error. The error
// names the function.
func guarded(what string, f func() error) error { return asPanicError(what, guard.Call(f)) }

// guardedApart is guarded for a function that may also end its goroutine.
func guardedApart(what string, f func() error) error { return asPanicError(what, guard.Apart(f)) }

func asPanicError(what string, err error) error {
	if p, ok := err.(*guard.Panic); ok { //nolint:errorlint // not one that a handler wrapped
		return &PanicError{Value: p.Value, Stack: p.Stack, what: what}
	}
	return err
}

// panicked tells observers that a function without a result of its own panicked. It
// leaves out one observer, -1 for none. Without any observer it logs.
func (c core) panicked(ctx context.Context, err error, but int) {
	others := slices.Clone(c.observers)
	if but >= 0 {
		others = slices.Delete(others, but, but+1)
	}
	if len(others) == 0 {
		others = []Observer{LogObserver(slog.Default())}
	}
	for _, observe := range others {
		_ = guard.Call(func() error {
			observe(ctx, Event{Kind: EventPanicked, Queue: c.bound.Name, Err: err})
			return nil
		})
	}
}

// guardedBackoff returns a Backoff that falls back to another when it panics or does
// not return.
func (c core) guardedBackoff(backoff, other Backoff) Backoff {
	return func(reads int) (after time.Duration) {
		err := guardedApart("the Backoff", func() error {
			after = backoff(reads)
			return nil
		})
		if err != nil {
			c.panicked(context.Background(), errors.Join(err), -1)
			return other(reads)
		}
		return after
	}
}
