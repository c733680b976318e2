package engine

import (
	"context"
	"errors"
	"time"

	"github.com/pgmq-go/pgmq/internal/guard"
)

// worker runs the handler for batches.
type worker struct {
	*shared
	handle func(context.Context, []*Delivery) // sets the results
}

// run runs the handler for those of a batch whose leases hold.
func (w *worker) run(b batch) {
	ctx, cancel := context.WithCancelCause(w.handlers)
	defer cancel(nil)
	w.leases.move(b, stageHandling, cancel)
	due := w.due(ctx, b)
	if w.options.HandlerTimeout > 0 {
		limited, end := context.WithTimeout(ctx, w.options.HandlerTimeout)
		defer end()
		ctx = limited
	}
	defer func() { // also after Goexit, and before ctx ends
		stopped := stoppedByUs(ctx)
		for _, d := range b {
			d.took, d.stopped = time.Since(d.began), stopped
		}
	}()
	for _, d := range due {
		d.began = time.Now()
		d.Err = guard.ErrNoReturn // stays if the handler or an observer does not
	}
	for _, d := range due {
		w.observe(ctx, d.delivered())
	}
	if len(due) > 0 {
		w.handle(ctx, due)
	}
}

// due returns those of a batch that a handler may have, and sets the results of the
// others.
func (w *worker) due(ctx context.Context, b batch) (due batch) {
	for _, d := range b {
		d.began = time.Now()
		switch {
		case w.leases.over(d):
			w.leases.lose(d, nil)
		case w.leases.whyLost(d) != nil:
		case w.options.MaxReads > 0 && int(d.Row.ReadCt) > w.options.MaxReads:
			d.Err = errMaxReads
		default:
			if d.apart > 0 {
				d.Err = w.bring(ctx, d)
			}
			if d.Err == nil {
				due = append(due, d)
			}
		}
	}
	return due
}

// stoppedByUs reports whether a handler's ctx has ended, and not by its
// HandlerTimeout, which the user set for it: the grace is over, or a lease is lost.
func stoppedByUs(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}
