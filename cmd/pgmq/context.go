package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/queue"
)

// graceTime is how long a statement may go on after ctrl-C.
const graceTime = 10 * time.Second

// withGrace returns a context that outlives ctx by some seconds: a statement that
// is running at ctrl-C ends, so that its result is known.
func withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(graceTime):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}

// afterCtrlC returns a context for checks and cleaning up, whether ctx has ended or
// not.
func afterCtrlC(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), graceTime)
}

// during runs consumers for as long as work takes.
func during(ctx context.Context, work func(context.Context) error, consumers ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() error {
		defer stop()
		return work(ctx)
	})
	group.Go(func() error { return queue.Run(consuming, consumers...) })
	return group.Wait()
}
