package engine

import (
	"context"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/guard"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/internal/wake"
)

// queries are the generated queries; they carry no state.
var queries = db.New()

// shared has the fields that all parts of an engine use. Open sets the second group,
// before any other goroutine runs.
type shared struct {
	queue   table.Bound
	pool    table.Pool
	options Options
	observe func(context.Context, Event)
	outages outages

	debts      debts
	poolReport poolReport
	leases     leases

	key      string          // the queue's table, by which it is notified
	listener *wake.Listener  // of the pool
	life     context.Context // of everything that the engine does
	handlers context.Context // of handlers: it ends in the last part of the grace
}

// persist is outages.persist.
func (s *shared) persist(ctx context.Context, try func(context.Context) error) error {
	return s.outages.persist(ctx, func(ctx context.Context) error {
		return s.try(func() error { return try(ctx) })
	})
}

// try makes an attempt that uses the pool. The hooks of the pool may panic. After an
// attempt that met a session which does not write, the next one dials anew.
func (s *shared) try(attempt func() error) error {
	err := guard.Call(attempt)
	table.Renew(s.pool, err)
	return err
}

// finish reports deliveries that are over. It comes last, as an observer may end the
// goroutine.
func (s *shared) finish(ended []*Delivery) {
	s.leases.remove(ended)
	for _, d := range ended {
		s.observe(s.life, d.ended(s.leases.whyLost(d)))
	}
}
