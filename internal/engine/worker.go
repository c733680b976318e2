package engine

import (
	"context"
	"time"
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
	for _, d := range due {
		d.began = time.Now()
		w.observe(ctx, d.delivered())
	}
	defer func() {
		for _, d := range b {
			d.took = time.Since(d.began)
		}
	}()
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
			w.leases.lose(d, w.leases.expired())
		case w.leases.whyLost(d) != nil:
		case w.options.MaxReads > 0 && int(d.Row.ReadCt) > w.options.MaxReads:
			d.Err = errMaxReads
		default:
			if d.apart {
				d.Err = w.bring(ctx, d)
			}
			if d.Err == nil {
				due = append(due, d)
			}
		}
	}
	return due
}
