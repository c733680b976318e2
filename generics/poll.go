package generics

import (
	"context"
	"time"
)

// Poll calls try until it returns true or an error, or until the limit has
// passed; the last call is made at the limit. A limit of 0 means one call.
//
// Between calls it pauses for 5 ms at first and for 250 ms at last, each
// shortened by up to half at random so that many pollers do not march in step.
// It returns try's error, or ctx's when ctx ends during a pause.
func Poll(ctx context.Context, limit time.Duration, try func(context.Context) (bool, error)) error {
	deadline := time.Now().Add(limit)
	pause := Exponential(5*time.Millisecond, 250*time.Millisecond)
	for attempt := 1; ; attempt++ {
		done, err := try(ctx)
		left := time.Until(deadline)
		if done || err != nil || left <= 0 {
			return err
		}
		timer := time.NewTimer(min(left, pause(attempt)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
