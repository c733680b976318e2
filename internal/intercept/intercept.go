// Package intercept runs interceptors around an operation.
package intercept

import "context"

// Run calls the interceptors around do, the first one outermost. Without any it
// calls do.
func Run[Op any, I ~func(context.Context, Op, func(context.Context) error) error](
	ctx context.Context, interceptors []I, op Op, do func(context.Context) error,
) error {
	if len(interceptors) == 0 {
		return do(ctx)
	}
	return interceptors[0](ctx, op, func(ctx context.Context) error {
		return Run(ctx, interceptors[1:], op, do)
	})
}
