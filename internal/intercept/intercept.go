// Package intercept runs interceptors around an operation.
package intercept

import (
	"context"
	"errors"
)

// ErrNextNotCalled is the error of an operation that did not take place although no
// interceptor returned an error.
var ErrNextNotCalled = errors.New("an interceptor did not call next, and returned no error")

// Run calls the interceptors around do, the first one outermost. Without any it
// calls do. An interceptor may replace an error of do, but not hide it.
func Run[Op any, I ~func(context.Context, Op, func(context.Context) error) error](
	ctx context.Context, interceptors []I, op Op, do func(context.Context) error,
) error {
	if len(interceptors) == 0 {
		return do(ctx)
	}
	result := ErrNextNotCalled
	err := Wrap(ctx, interceptors, op, func(ctx context.Context) error {
		result = do(ctx)
		return result
	})
	if err == nil {
		return result
	}
	return err
}

// Wrap is Run for a do whose error an interceptor may hide, such as a handler.
func Wrap[Op any, I ~func(context.Context, Op, func(context.Context) error) error](
	ctx context.Context, interceptors []I, op Op, do func(context.Context) error,
) error {
	if len(interceptors) == 0 {
		return do(ctx)
	}
	return interceptors[0](ctx, op, func(ctx context.Context) error {
		return Wrap(ctx, interceptors[1:], op, do)
	})
}
