package generics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrOutcomeUnknown reports that a call may have taken effect or not: its item
// was in a flush, and the flush's result did not reach the caller.
var ErrOutcomeUnknown = errors.New("the outcome is unknown")

// Result is the outcome for one item of a batch: a value, or an error.
type Result[Out any] struct {
	Value Out
	Err   error
}

// Coalescer turns calls that come at the same time into batches. A single call
// is flushed at once. While a flush is under way, further calls gather; when it
// ends, the next flush takes them. So there is no timer for a batch, its size
// follows the load, and nothing runs while there are no calls.
//
// Set the exported fields before the first call and do not change them later. It
// must not be copied after use.
type Coalescer[In, Out any] struct {
	// Most is the largest number of items in a batch; below 1 counts as 1.
	Most int

	// Heaviest limits the sum of the weights of a batch's items, as Weigh returns
	// them. An item that weighs more is a batch by itself. Without Weigh there is
	// no such limit.
	Heaviest int
	Weigh    func(In) int

	// Alike reports whether a call may share a flush with another, by their
	// contexts. Without it all may. A batch then ends before the first call that is
	// not like its first one, so that the order of calls stays.
	Alike func(a, b context.Context) bool

	// A flush that takes longer than Patience no longer holds the next one back: it
	// starts beside it, up to Beside of them at once. Without Patience there is one
	// flush at a time, and the order of calls is that of the flushes.
	Patience time.Duration
	Beside   int

	// Flush gets a batch of items in the order of their calls. It returns one
	// Result for each item, in the same order. The call of an item without a Result
	// fails with ErrOutcomeUnknown. The context has the values of the first
	// caller's, and ends only when all the batch's callers have left, so that no
	// caller can fail the others.
	Flush func(ctx context.Context, batch []In) []Result[Out]

	mu       sync.Mutex
	waiting  []*call[In, Out] // not in a flush yet, oldest first
	busy     bool             // the next flush is somebody's turn: it is about to start, or within its patience
	underWay int              // flushes, also those beyond their patience
}

// call is one call of Do or Begin.
type call[In, Out any] struct {
	ctx    context.Context
	in     In
	flush  *flush // the flush that the call is in; nil while it waits
	done   chan struct{}
	result Result[Out] // set when done is closed
}

// flush is a batch under way.
type flush struct {
	callers int // the number of callers that wait for it
	cancel  context.CancelFunc
	overdue bool // beyond its patience: the turn is another's
	ended   bool
}

// Do hands in to a flush, alone or with others, and returns its Result.
//
// When ctx ends first, Do returns at once. If in was not in a flush yet, the error
// is ctx's cause, and in is never flushed. Otherwise the error wraps the cause and
// ErrOutcomeUnknown, and the flush goes on. After [runtime.Goexit] in Flush the
// error wraps ErrOutcomeUnknown. A panic in Flush ends the program.
func (c *Coalescer[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	return c.Begin(ctx, in)()
}

// Begin is Do in two steps. When Begin returns, in has its place in the order of
// calls. wait then waits for its Result as Do does; it must be called once.
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
		case <-me.done: // the flush has ended; look before leaving, as the last to leave cancels it
		default:
			if c.leave(me) {
				return none, context.Cause(ctx)
			}
			return none, fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(ctx))
		}
	}
	return me.result.Value, me.result.Err
}

func (c *Coalescer[In, Out]) join(me *call[In, Out]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, me)
	c.begin()
}

// begin starts the next flush if calls wait and no flush has the turn. The caller
// holds mu.
func (c *Coalescer[In, Out]) begin() {
	if c.busy || len(c.waiting) == 0 || c.underWay > 0 && c.underWay >= c.Beside {
		return
	}
	c.busy = true
	go c.run()
}

// leave withdraws a call whose context has ended. It reports whether the call
// was still waiting, and so is in no flush. When the last caller leaves a flush,
// leave cancels its context.
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

// run flushes one batch of the waiting calls and wakes their callers, however
// the flush ends. It starts itself again until no call waits.
func (c *Coalescer[In, Out]) run() {
	ctx, f, batch := c.take()
	if f == nil {
		return
	}
	items := make([]In, len(batch))
	for i, call := range batch {
		items[i] = call.in
		call.result.Err = errNoReturn // stays if Flush does not return
	}
	if c.Patience > 0 {
		defer time.AfterFunc(c.Patience, func() { c.pass(f) }).Stop()
	}
	defer func() {
		f.cancel()
		last := len(batch) - 1
		for _, call := range batch[:last] {
			close(call.done)
		}
		// The Go scheduler runs the most recently readied goroutine next, then the
		// rest in FIFO order. So the next run comes after these callers, and takes
		// the calls that they make at once. Callers in a loop then share every flush
		// instead of splitting into two groups that alternate.
		if c.end(f) {
			go c.run()
		}
		close(batch[last].done)
	}()
	for i, result := range c.Flush(ctx, items) {
		if i < len(batch) {
			batch[i].result = result
		}
	}
}

// pass gives the turn of a flush that is overdue to the next.
func (c *Coalescer[In, Out]) pass(f *flush) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.ended {
		f.overdue, c.busy = true, false
		c.begin()
	}
}

// end ends a flush, and reports whether it still has the turn.
func (c *Coalescer[In, Out]) end(f *flush) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.ended = true
	c.underWay--
	if f.overdue {
		c.begin() // there may have been too many at once
	}
	return !f.overdue
}

// take moves the oldest waiting calls into a flush. It returns none, and gives the
// turn up, when no call waits.
func (c *Coalescer[In, Out]) take() (context.Context, *flush, []*call[In, Out]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.next()
	if n == 0 {
		c.busy = false
		return nil, nil, nil
	}
	c.underWay++
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	f := &flush{callers: n, cancel: cancel}
	for _, call := range batch {
		call.flush = f
	}
	return ctx, f, batch
}

// next returns how many of the waiting calls make the next batch. The caller
// holds mu.
func (c *Coalescer[In, Out]) next() int {
	n := min(len(c.waiting), max(c.Most, 1))
	weight := 0
	for i, call := range c.waiting[:n] {
		if c.Weigh != nil {
			weight += c.Weigh(call.in)
		}
		if i > 0 && (weight > c.Heaviest || c.Alike != nil && !c.Alike(c.waiting[0].ctx, call.ctx)) {
			return i
		}
	}
	return n
}

var errNoReturn = fmt.Errorf("%w: the flush did not return", ErrOutcomeUnknown)
