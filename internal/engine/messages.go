package engine

import (
	"context"
	"errors"
	"time"

	"github.com/pgmq-go/pgmq/internal/fetch"
)

// Each is Run for a loop in place of a handler: it calls do with one message after
// another, and the body of the loop settles each. The lease is extended until do
// returns. Each ends when do returns false, when ctx ends, or when nothing came for
// as long as wait, if that is positive.
func (e *Engine) Each(ctx context.Context, wait time.Duration, do func(*Delivery) bool) error {
	end, err := e.open(ctx)
	if err != nil {
		return e.reason(ctx, err)
	}
	defer end()
	for {
		waiting, cancel := ctx, func() {}
		if wait > 0 {
			waiting, cancel = context.WithTimeout(ctx, wait)
		}
		batches, err := e.loop.fetch(waiting, func() int { return 1 })
		cancel()
		if err != nil {
			return e.reason(waiting, err)
		}
		if !e.handOut(ctx, batches[0], do) {
			return nil
		}
	}
}

// handOut calls do with the deliveries of a batch, and gives back those that it did
// not get to.
func (e *Engine) handOut(ctx context.Context, b batch, do func(*Delivery) bool) (goOn bool) {
	done := 0
	defer func() {
		if done < len(b) {
			e.heartbeat.giveBack([]batch{b[done:]})
		}
	}()
	for _, d := range b {
		if ctx.Err() != nil {
			return false
		}
		done++
		if e.leases.whyLost(d) != nil {
			continue // another has it
		}
		if d.apart > 0 {
			d.Err = e.bring(ctx, d)
		}
		switch {
		case ctx.Err() != nil:
			done--
			return false
		case errors.Is(d.Err, fetch.ErrGone):
			continue
		}
		goOn := do(d)
		e.leases.remove(batch{d})
		if !goOn {
			return false
		}
	}
	return true
}
