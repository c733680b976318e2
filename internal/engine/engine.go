// Package engine is the consumer without T: it fetches messages, runs handlers,
// keeps leases and records results.
//
// The goroutines of an engine, and the state that each owns:
//
//	                      ┌────────────── loop ──────────────┐
//	                      │ when to read next (idle.go),     │
//	wake.Listener ───────▶│ reads and scans (source.go)      │
//	(one for a pool)      └───────────────┬──────────────────┘
//	                                      │ batches
//	                      ┌───────────────▼──────────────────┐
//	                      │ workers: generics.Workers        │◀─ leases (lease.go):
//	                      │ run handlers (worker.go)         │   all goroutines,
//	                      └───────────────┬──────────────────┘   guarded by mu
//	                                      │ results                  ▲
//	                      ┌───────────────▼──────────────────┐       │
//	                      │ settler: one at a time           │   heartbeat.go:
//	                      │ decides (disposition.go) and     │   one extends,
//	                      │ records (settle.go, record.go)   │   one expires
//	                      └───────────────┬──────────────────┘
//	                                      │ dead letters
//	                      ┌───────────────▼──────────────────┐
//	                      │ writer (deadletters.go)          │
//	                      └──────────────────────────────────┘
//
// docs/inside.md tells the same with reasons.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/guard"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/internal/wake"
)

// ErrGraceExpired is the cause of handlers' contexts near the end of the grace, and
// the error of a Run that was not done by its end.
var ErrGraceExpired = errors.New("the consumer stopped before all was done")

// Engine is a running consumer of one queue.
type Engine struct {
	shared
	loop        loop
	workers     generics.Workers[batch]
	settler     settler
	heartbeat   heartbeat
	deadLetters deadLetters

	stop    func() // ends fetching
	failure atomic.Pointer[error]
}

// New returns an engine for a queue on a pool. Handle runs the handler for
// deliveries, at least one, and sets their results; observe gets the events.
func New(
	queue table.Bound, pool table.Pool, o Options,
	handle func(context.Context, []*Delivery), observe func(context.Context, Event),
) *Engine {
	observe = outlived(observe)
	e := &Engine{shared: shared{
		queue: queue, pool: pool, options: o, observe: observe,
		outages: outages{observe: observe},
		leases:  leases{vt: o.VT, maxLease: o.MaxLease},
	}}
	worker := worker{shared: &e.shared, handle: handle}
	e.heartbeat.shared, e.heartbeat.recall = &e.shared, e.recall
	e.deadLetters.shared, e.deadLetters.heartbeat = &e.shared, &e.heartbeat
	e.deadLetters.fewer = make(chan struct{}, 1)
	e.settler = settler{shared: &e.shared, heartbeat: &e.heartbeat, deadLetters: &e.deadLetters, fail: e.fail}
	e.loop = loop{source: source{shared: &e.shared, setAhead: e.workers.Limit}, awaitRoom: e.deadLetters.awaitRoom}
	e.workers = generics.Workers[batch]{
		Count:  cmp.Or(o.Workers, defaultWorkers),
		Ahead:  o.Prefetch / o.BatchSize,
		Fetch:  e.loop.fetch,
		Run:    worker.run,
		Finish: e.settler.settle,
		Return: e.heartbeat.giveBack,
	}
	return e
}

// Run consumes until ctx ends, and then for as long as the grace waits for running
// handlers. It returns nil, ErrGraceExpired, or the error that ended it before.
func (e *Engine) Run(ctx context.Context) error {
	fetching, stop := context.WithCancel(ctx)
	defer stop()
	e.stop = stop
	end, err := e.open(ctx)
	if err != nil {
		return e.reason(ctx, err)
	}
	defer end()
	if e.options.Tx {
		if err := e.fitPool(ctx); err != nil {
			return err
		}
	}
	handlers, stopHandlers := context.WithCancelCause(e.life)
	defer stopHandlers(nil)
	e.handlers = handlers

	ended := make(chan error, 1)
	go func() {
		err := guard.ErrNoReturn
		defer func() { ended <- err }() // also after Goexit in a hook of the pool
		err = e.workers.Work(fetching)
		e.deadLetters.running.Wait()
	}()
	select {
	case err := <-ended:
		return e.reason(ctx, err)
	case <-fetching.Done():
	}
	// In the last part of the grace the handlers are asked to end.
	last := min(e.options.Grace/stopFraction, stopTime)
	for _, wait := range []time.Duration{e.options.Grace - last, last} {
		select {
		case err := <-ended:
			return e.reason(ctx, err)
		case <-time.After(wait):
			stopHandlers(ErrGraceExpired)
		}
	}
	return fmt.Errorf("%w after a ShutdownGrace of %v", ErrGraceExpired, e.options.Grace)
}

// open checks that the queues exist, takes the pool's listener, and begins to keep
// leases. The caller calls end, which waits for the end of both.
func (e *Engine) open(ctx context.Context) (end func(), err error) {
	life, endLife := context.WithCancel(context.WithoutCancel(ctx))
	e.life = life
	if err := e.persist(ctx, e.check); err != nil {
		endLife()
		return nil, err
	}
	var caller context.Context
	if e.queue.PerCaller {
		caller = ctx
	}
	e.listener = wake.For(caller, e.pool)
	var keepers sync.WaitGroup
	keepers.Go(func() { e.heartbeat.run(life) })
	keepers.Go(func() { e.heartbeat.expire(life) })
	return func() {
		endLife()
		keepers.Wait()
		e.listener.Release()
	}, nil
}

// check finds the queue and the dead-letter queue, and reads from the queue once,
// for its permissions.
func (e *Engine) check(ctx context.Context) error {
	tableOf := func(t *table.Table) (string, error) {
		row, err := table.Ask(ctx, t.Bind(e.pool), queries.Find)
		if err == nil && !row.Found {
			err = pgerr.ErrNoQueue
		}
		return row.Name, err
	}
	var err error
	if e.key, err = tableOf(e.queue.Table); err != nil {
		return err
	}
	if name := e.options.DeadLetterTo; name != "" {
		dead, err := tableOf(table.New(name))
		if err != nil {
			return fmt.Errorf("dead-letter queue %q: %w", name, err)
		}
		if dead == e.key {
			return option.Invalid("DeadLetterTo is the queue itself")
		}
	}
	_, err = table.Run(ctx, e.queue.DB, queries.Existing, db.ExistingParams{})
	return err
}

// recall gives back messages that were fetched before a time and still wait for a worker.
func (e *Engine) recall(before time.Time) {
	stale := e.workers.Recall(func(b batch) bool { return b[0].fetched.Before(before) })
	if len(stale) > 0 {
		e.heartbeat.giveBack(stale)
	}
}

// fail ends the consumer with an error that stays.
func (e *Engine) fail(err error) {
	e.failure.CompareAndSwap(nil, &err)
	e.stop()
}

// reason returns the result of Run when it ended with err: nil if ctx itself ended.
func (e *Engine) reason(ctx context.Context, err error) error {
	failure := e.failure.Load()
	switch {
	case failure != nil:
		return *failure
	case ctx.Err() == nil:
		return err
	}
	return nil
}
