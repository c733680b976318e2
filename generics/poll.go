package generics

import (
	"context"
	"math/rand/v2"
	"time"
)

// The pause between two tries of Poll doubles from the first to the last.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// Poll calls try until it returns true or an error, or until the limit has
// passed; the last call is made at the limit. A limit of 0 means one call.
//
// Between calls it pauses for 5 ms at first and for 250 ms at last, each
// shortened by up to half at random so that many pollers do not march in step.
// It returns try's error, or ctx's when ctx ends during a pause.
func Poll(ctx context.Context, limit time.Duration, try func(context.Context) (bool, error)) error {
	deadline := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		done, err := try(ctx)
		left := time.Until(deadline)
		if done || err != nil || left <= 0 {
			return err
		}
		timer := time.NewTimer(min(left, pause-rand.N(pause/2)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
