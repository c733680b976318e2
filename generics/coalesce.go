package generics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrUnknown is wrapped by the error of a call that may have taken effect or may
// not: its item was in a flush, whose answer never reached the caller.
var ErrUnknown = errors.New("the outcome is unknown")

// Result is what became of one item of a batch: a value, or an error.
type Result[Out any] struct {
	Value Out
	Err   error
}

// Coalescer turns calls that come at the same time into batches. A call that
// comes alone is flushed at once, in its own goroutine. While a flush is under
// way, calls gather; when it ends, the call that has waited longest flushes all
// that gathered. So there is no timer and no goroutine behind it, a batch is as
// large as the load makes it, and at most one flush runs at any time.
type Coalescer[In, Out any] struct {
	most  int
	flush func(context.Context, []In) []Result[Out]

	mu      sync.Mutex
	waiting []*call[In, Out] // in no flush yet, oldest first
	leader  *call[In, Out]   // who flushes or is about to; nil when idle
}

// call is one call of Do.
type call[In, Out any] struct {
	in     In
	chosen chan struct{} // closed when it is to lead the next flush
	done   chan struct{} // closed when result is set
	result Result[Out]
}

// NewCoalescer returns a Coalescer whose batches have at most the given number
// of items; below 1 counts as 1. flush gets the items in the order of their
// calls and returns one Result for each, in the same order; a missing one is a
// panic. Its context has the values of one caller's and never ends, so that no
// caller can fail the others: flush itself limits how long it takes.
func NewCoalescer[In, Out any](most int, flush func(ctx context.Context, batch []In) []Result[Out]) *Coalescer[In, Out] {
	return &Coalescer[In, Out]{most: max(most, 1), flush: flush}
}

// Do has in flushed, alone or with others, and returns its result.
//
// When ctx ends first, Do returns ctx's cause; the item was not flushed and
// never will be. When it ends while the item is in a flush that another call
// leads, Do returns an error that wraps both ErrUnknown and the cause, and the
// flush goes on. A call that leads a flush sees it through and returns its own
// result. A panic of flush goes on in the call that led it; the others of its
// batch get an error that wraps ErrUnknown.
func (c *Coalescer[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	var none Out
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	me := &call[In, Out]{in: in, chosen: make(chan struct{}), done: make(chan struct{})}
	c.join(me)
	select {
	case <-me.chosen:
		c.lead(ctx)
	case <-me.done:
	case <-ctx.Done():
		if c.leave(me) {
			return none, context.Cause(ctx)
		}
		return none, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
	return me.result.Value, me.result.Err
}

func (c *Coalescer[In, Out]) join(me *call[In, Out]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, me)
	if c.leader == nil {
		c.choose()
	}
}

// leave reports whether me was still waiting, and so is in no flush.
func (c *Coalescer[In, Out]) leave(me *call[In, Out]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, me)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	if c.leader == me { // chosen a moment ago: somebody else must lead
		c.choose()
	}
	return true
}

// choose makes the oldest waiting call the leader, if there is one. Its caller
// holds mu.
func (c *Coalescer[In, Out]) choose() {
	c.leader = nil
	if len(c.waiting) > 0 {
		c.leader = c.waiting[0]
		close(c.leader.chosen)
	}
}

// lead flushes the oldest calls. The leader is the first of them: it stays in
// waiting until here, and nobody overtakes it.
func (c *Coalescer[In, Out]) lead(ctx context.Context) {
	batch := c.take()
	items := make([]In, len(batch))
	for i, call := range batch {
		items[i] = call.in
		call.result.Err = errNoReturn // unless flush returns
	}
	defer func() {
		for _, call := range batch {
			close(call.done)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.choose()
	}()
	results := c.flush(context.WithoutCancel(ctx), items)
	for i, call := range batch {
		call.result = results[i]
	}
}

var errNoReturn = fmt.Errorf("%w: the flush did not return", ErrUnknown)

func (c *Coalescer[In, Out]) take() []*call[In, Out] {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), c.most)
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	return batch
}
