package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/option"
)

// poolReport says when work has waited long for a connection, now and then.
type poolReport struct{ told atomic.Int64 } // the time of the last report

// due reports whether it is time for a report, and if so counts it.
func (r *poolReport) due() bool {
	last, now := r.told.Load(), time.Now()
	return now.Sub(time.Unix(0, last)) >= poolRest && r.told.CompareAndSwap(last, now.UnixNano())
}

// awaitPool reports that work waits for a connection, unless arrived is called soon.
func (s *shared) awaitPool(ctx context.Context, who string) (arrived func()) {
	timer := time.AfterFunc(poolWait, func() {
		if s.poolReport.due() {
			s.observe(ctx, Event{Kind: EventPoolShort, Err: fmt.Errorf("%s has waited for a connection for %v: the pool has %d, and handlers of ConsumeTx hold up to %d of them; "+
				"handlers that hold one and want another may wait for each other: raise pool_max_conns, or lower Workers",
				who, poolWait, s.pool.Config().MaxConns, cap(s.listener.Transactions))})
		}
	})
	return func() { timer.Stop() }
}

// acquire is Acquire of the listener, for a short statement.
func (s *shared) acquire(ctx context.Context) (_ *pgxpool.Conn, release func(), _ error) {
	defer s.awaitPool(ctx, "the consumer")()
	return s.listener.Acquire(ctx)
}

// fitPool runs no more handlers than may have a transaction at once. It reports that
// where the user asked for more.
func (e *Engine) fitPool(ctx context.Context) error {
	workers, conns, most := e.workers.Count, int(e.pool.Config().MaxConns), cap(e.listener.Transactions)
	if conns < 2 {
		return option.Invalid("ConsumeTx needs a pool of at least 2 connections, and better %d: a handler holds one, and whatever else uses the pool waits for it meanwhile; "+
			"raise pool_max_conns", workers+2)
	}
	e.workers.Count = min(workers, most)
	if e.options.Workers > most || conns == 2 {
		e.observe(ctx, Event{Kind: EventPoolShort, Err: fmt.Errorf("ConsumeTx runs %d handler(s) at once, and Workers is %d: the pool has %d connections, and handlers must leave some for other statements; "+
			"raise pool_max_conns to Workers + 2 for each ConsumeTx", e.workers.Count, workers, conns)})
	}
	return nil
}
