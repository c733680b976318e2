package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/table"
)

// statementTime is what one statement may take before it counts as an outage.
const statementTime = 10 * time.Second

// consumer is a running Consume. It knows rows, not T.
//
// Messages go through it in parcels: the pump fetches them (fetch.go), runs their
// handler in a worker, and has them settled, many at a time, when the worker is
// free again (settler.go); deaths apart from the rest (bury.go). Beside it one
// goroutine extends the leases of all that is held, and another notices when one
// ends all the same (keep.go).
type consumer struct {
	handle
	o        consumeOptions
	work     func(context.Context, parcel) // runs the handler and notes each job's result
	listener *listener
	key      string // the queue's table, by which it is announced
	pump     generics.Workers[parcel]
	held     leases
	graves   graves

	life     context.Context // of all that is done for this consumer
	handlers context.Context // what handlers run in: ends with Grace
	stop     func()          // ends fetching
	failure  atomic.Pointer[error]

	beat     sync.Mutex  // held while leases are extended
	bodySize int         // bytes, of the latest messages on average
	pace     pace        // of fetching
	lookout  lookout     // of fetching
	down     atomic.Bool // an outage was told and is not over
	polling  atomic.Bool // it was told that wake-ups do not arrive
}

func newConsumer(h handle, o consumeOptions, work func(context.Context, parcel)) *consumer {
	if h.observer == nil {
		h.observer = Log(slog.Default())
	}
	c := &consumer{handle: h, o: o, work: work, graves: graves{fewer: make(chan struct{}, 1)}}
	c.pump = generics.Workers[parcel]{
		Count:  o.workers,
		Ahead:  o.prefetch / o.batch.N,
		Fetch:  c.fetch,
		Run:    c.deliver,
		Finish: c.finish,
		Return: c.giveBack,
	}
	return c
}

// open makes sure that everything is there, and begins to listen and to keep
// leases. Whoever calls it must call end, which waits for the end of both.
func (c *consumer) open(ctx context.Context) (end func(), err error) {
	life, endLife := context.WithCancel(context.WithoutCancel(ctx))
	c.life = life
	if err := c.persist(ctx, c.check); err != nil {
		endLife()
		return nil, err
	}
	c.listener = listen(c.pool())
	var keepers sync.WaitGroup
	keepers.Go(func() { c.keep(life) })
	keepers.Go(func() { c.watch(life) })
	return func() {
		endLife()
		keepers.Wait()
		c.listener.leave()
	}, nil
}

func (c *consumer) run(ctx context.Context) error {
	fetching, stop := context.WithCancel(ctx)
	defer stop()
	c.stop = stop
	end, err := c.open(ctx)
	if err != nil {
		return c.reason(ctx, err)
	}
	defer end()
	handlers, stopHandlers := context.WithCancelCause(c.life)
	defer stopHandlers(nil)
	c.handlers = handlers

	ended := make(chan error, 1)
	go func() {
		err := c.pump.Work(fetching)
		c.graves.running.Wait()
		ended <- err
	}()
	select {
	case err := <-ended:
		return c.reason(ctx, err)
	case <-fetching.Done():
	}
	// In the last part of Grace the handlers are asked to end.
	last := min(c.o.grace/10, 5*time.Second)
	for _, wait := range []time.Duration{c.o.grace - last, last} {
		select {
		case err := <-ended:
			return c.reason(ctx, err)
		case <-time.After(wait):
			stopHandlers(ErrStopped)
		}
	}
	return fmt.Errorf("%w after a Grace of %v", ErrStopped, c.o.grace)
}

// broken ends the consumer with an error that stays.
func (c *consumer) broken(err error) {
	c.failure.CompareAndSwap(nil, &err)
	c.stop()
}

// reason is what Consume returns when it ended with err: nil if it was ctx that
// ended.
func (c *consumer) reason(ctx context.Context, err error) error {
	failure := c.failure.Load()
	switch {
	case failure != nil:
		return *failure
	case ctx.Err() == nil:
		return err
	}
	return nil
}

// check finds what must be there from the start.
func (c *consumer) check(ctx context.Context) error {
	tableOf := func(t *table.Table) (string, error) {
		row, err := queries.Find(ctx, t.Bind(c.pool()))
		if err == nil && !row.Found {
			err = ErrNoQueue
		}
		return row.Name, err
	}
	var err error
	if c.key, err = tableOf(c.table); err != nil {
		return err
	}
	if name := c.o.deadLetterTo; name != "" {
		var dead string
		if dead, err = tableOf(table.New(name)); err != nil {
			return fmt.Errorf("dead-letter queue %q: %w", name, err)
		}
		if dead == c.key {
			return fmt.Errorf("%w: DeadLetterTo is the queue itself", ErrOption)
		}
	}
	_, err = queries.Existing(ctx, c.db, nil)
	return err
}

// deliver runs the handler for a parcel. It is a worker's time.
func (c *consumer) deliver(p parcel) {
	ctx, cancel := context.WithCancelCause(c.handlers)
	defer cancel(nil)
	c.held.move(p, running, cancel)

	var due parcel
	for _, j := range p {
		j.began = time.Now()
		reads := int(j.row.ReadCt)
		switch {
		case c.held.over(j):
			c.held.lose(j, c.notExtended())
		case c.held.whyLost(j) != nil:
		case c.o.maxReads > 0 && reads > c.o.maxReads:
			j.err = errMaxReads
		default:
			due = append(due, j)
			var wait time.Duration
			if at := j.row.LastReadAt; at != nil {
				wait = at.Sub(j.row.EnqueuedAt) + j.began.Sub(j.fetched)
			}
			c.tell(ctx, Event{Kind: Delivered, ID: j.row.MsgID, Count: 1, Reads: reads, Wait: wait})
		}
	}
	defer func() {
		for _, j := range p {
			j.took = time.Since(j.began)
		}
	}()
	if len(due) > 0 {
		c.work(ctx, due)
	}
}

// pool is the queue's pool; nil if it is on something else.
func (h handle) pool() *pgxpool.Pool {
	pool, _ := h.source.(*pgxpool.Pool)
	return pool
}
