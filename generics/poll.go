package generics

import (
	"context"
	"time"
)

// Poll calls try until it returns true or an error, or until limit has passed.
// The last call is made at the limit. A limit of 0 means one call.
//
// The pauses between calls grow from 5 ms to 250 ms. A random part of up to half
// is taken off each, so that concurrent callers do not poll at the same moments.
// Poll returns try's error, or ctx's when ctx ends during a pause. It returns
// nil when the limit has passed.
func Poll(ctx context.Context, limit time.Duration, try func(context.Context) (bool, error)) error {
	deadline := time.Now().Add(limit)
	pause := Exponential(5*time.Millisecond, 250*time.Millisecond)
	for attempt := 1; ; attempt++ {
		done, err := try(ctx)
		left := time.Until(deadline)
		if done || err != nil || left <= 0 {
			return err
		}
		if !Sleep(ctx, min(left, pause(attempt))) {
			return ctx.Err()
		}
	}
}
