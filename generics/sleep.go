package generics

import (
	"context"
	"time"
)

// Sleep waits for d or until ctx ends, whichever comes first. It returns true
// when ctx has not ended. A d of 0 or below does not wait.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
