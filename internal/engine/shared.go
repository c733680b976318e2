package engine

import (
	"context"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/internal/wake"
)

// queries are the generated queries; they carry no state.
var queries = db.New()

// shared is what all parts of an engine use. Open sets the second group, before
// any other goroutine runs.
type shared struct {
	queue   table.Bound
	pool    table.Pool
	options Options
	observe func(context.Context, Event)
	outages outages
	leases  leases

	key      string          // the queue's table, by which it is notified
	listener *wake.Listener  // of the pool
	life     context.Context // of everything that the engine does
	handlers context.Context // of handlers: it ends in the last part of the grace
}

// persist is outages.persist.
func (s *shared) persist(ctx context.Context, try func(context.Context) error) error {
	return s.outages.persist(ctx, try)
}
