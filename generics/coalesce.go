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
// comes alone is flushed at once. While a flush is under way, calls gather; when
// it ends, the next takes what has gathered. So there is no timer, a batch is as
// large as the load makes it, and nothing runs while nobody calls.
//
// Set the exported fields before the first call and leave them alone then. It
// must not be copied after use.
type Coalescer[In, Out any] struct {
	// Most is how many items a batch has at most; below 1 counts as 1.
	Most int

	// Heaviest is what the items of a batch weigh at most, by Weigh, unless one
	// alone weighs more. Without Weigh there is no such limit.
	Heaviest int
	Weigh    func(In) int

	// Flush gets the items in the order of their calls, one batch at a time, and
	// returns one Result for each, in the same order; a missing one is a panic.
	// Its context has the values of its first caller's, and ends only when all its
	// callers have left, so that none can fail the others.
	Flush func(ctx context.Context, batch []In) []Result[Out]

	mu      sync.Mutex
	waiting []*call[In, Out] // in no flush yet, oldest first
	busy    bool             // a flush is under way or about to be
}

// call is one call of Do or Begin.
type call[In, Out any] struct {
	ctx    context.Context
	in     In
	flush  *flush // that it is in; nil while it waits
	done   chan struct{}
	result Result[Out] // set when done is closed
}

// flush is a batch under way.
type flush struct {
	callers int // that wait for it
	cancel  context.CancelFunc
}

// Do has in flushed, alone or with others, and returns its result.
//
// When ctx ends first, Do returns ctx's cause at once: alone when the item was
// not flushed, and never will be; with ErrUnknown when it is in a flush, which
// goes on for the others. After a panic of flush, which ends the program, there
// is nothing to return; after runtime.Goexit in it the error wraps ErrUnknown.
func (c *Coalescer[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	return c.Begin(ctx, in)()
}

// Begin is Do in two steps: in has its place in the order of calls when Begin
// returns, and wait, which must be called once, waits for its result.
func (c *Coalescer[In, Out]) Begin(ctx context.Context, in In) (wait func() (Out, error)) {
	if ctx.Err() != nil {
		return func() (none Out, err error) { return none, context.Cause(ctx) }
	}
	me := &call[In, Out]{ctx: ctx, in: in, done: make(chan struct{})}
	c.join(me)
	return func() (Out, error) { return c.wait(ctx, me) }
}

func (c *Coalescer[In, Out]) wait(ctx context.Context, me *call[In, Out]) (Out, error) {
	var none Out
	select {
	case <-me.done:
	case <-ctx.Done():
		select {
		case <-me.done: // just in time, and before it is left: the last to leave cancels it
		default:
			if c.leave(me) {
				return none, context.Cause(ctx)
			}
			return none, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
		}
	}
	return me.result.Value, me.result.Err
}

func (c *Coalescer[In, Out]) join(me *call[In, Out]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, me)
	if !c.busy {
		c.busy = true
		go c.run()
	}
}

// leave reports whether me was still waiting, and so is in no flush. The last
// caller to leave a flush ends its context.
func (c *Coalescer[In, Out]) leave(me *call[In, Out]) (waiting bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if me.flush == nil {
		i := slices.Index(c.waiting, me)
		c.waiting = slices.Delete(c.waiting, i, i+1)
		return true
	}
	if me.flush.callers--; me.flush.callers == 0 {
		me.flush.cancel()
	}
	return false
}

// run flushes what waits and wakes its callers, however the flush ends.
func (c *Coalescer[In, Out]) run() {
	ctx, batch := c.take()
	if len(batch) == 0 {
		return
	}
	items := make([]In, len(batch))
	for i, call := range batch {
		items[i] = call.in
		call.result.Err = errNoReturn // unless flush returns
	}
	defer func() {
		batch[0].flush.cancel()
		last := len(batch) - 1
		for _, call := range batch[:last] {
			close(call.done)
		}
		// Go's scheduler begins with whom it was told of last, and goes on in order.
		// So the next run comes after these callers and takes along what they call
		// again at once: those that call in a loop share one flush, not two by turns.
		go c.run()
		close(batch[last].done)
	}()
	for i, result := range c.Flush(ctx, items) {
		batch[i].result = result
	}
}

// take puts the oldest calls into a flush. Without any, run is over.
func (c *Coalescer[In, Out]) take() (context.Context, []*call[In, Out]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.next()
	if n == 0 {
		c.busy = false
		return nil, nil
	}
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	f := &flush{callers: n, cancel: cancel}
	for _, call := range batch {
		call.flush = f
	}
	return ctx, batch
}

// next is how many of the waiting make the next batch. Its caller holds mu.
func (c *Coalescer[In, Out]) next() int {
	n := min(len(c.waiting), max(c.Most, 1))
	if c.Weigh == nil {
		return n
	}
	weight := 0
	for i, call := range c.waiting[:n] {
		if weight += c.Weigh(call.in); weight > c.Heaviest && i > 0 {
			return i
		}
	}
	return n
}

var errNoReturn = fmt.Errorf("%w: the flush did not return", ErrUnknown)
