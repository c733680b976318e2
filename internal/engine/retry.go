package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// permanent reports whether an error ends the consumer, because every further
// attempt will meet it. All other errors are outages.
func permanent(err error) bool {
	return errors.Is(err, option.ErrInvalid) || errors.Is(err, table.ErrName) || pgerr.Permanent(err)
}

// outages reports the beginning and the end of times without a database, once each.
type outages struct {
	observe func(context.Context, Event)
	mu      sync.Mutex // orders the reports
	down    atomic.Bool
}

// persist calls try until it succeeds, fails for good, or ctx ends. The ctx of each
// attempt ends after the time for a statement.
func (o *outages) persist(ctx context.Context, try func(context.Context) error) error {
	pause := generics.Exponential(retryFirst, retryLast)
	for attempt := 1; ; attempt++ {
		once, cancel := context.WithTimeout(ctx, statementTimeout)
		err := try(once)
		cancel()
		switch {
		case err == nil:
			o.over(ctx)
			return nil
		case ctx.Err() != nil, permanent(err), pgerr.Divisible(err):
			return err
		}
		if attempt > 1 { // a single failure is a connection that was cut
			o.begin(ctx, err)
		}
		if !generics.Sleep(ctx, pause(attempt)) {
			return context.Cause(ctx)
		}
	}
}

func (o *outages) begin(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.down.Swap(true) {
		o.observe(ctx, Event{Kind: EventOutage, Err: pgerr.Explain(err)})
	}
}

func (o *outages) over(ctx context.Context) {
	if !o.down.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down.Swap(false) {
		o.observe(ctx, Event{Kind: EventRecovered})
	}
}

// outlast returns a ctx that ends after limit, or some time after ctx ends, for a
// statement whose result must be known.
func outlast(ctx context.Context, limit, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		generics.Sleep(longer, after)
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}
