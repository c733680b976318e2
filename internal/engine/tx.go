package engine

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// InTx runs a handler in a transaction that settles its delivery as well: both
// commit or neither does.
func (e *Engine) InTx(ctx context.Context, d *Delivery, handle func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if err := handle(tx); err != nil {
			return err
		}
		// The transaction locks the row until it commits; no heartbeat must wait
		// for that.
		e.leases.move(batch{d}, stageSettling, nil)
		ids, err := e.record(ctx, tx, e.options.Done, batch{d})
		if err == nil && len(ids) == 0 {
			err = leaseLost("another has the message, or it is gone")
		}
		return err
	})
	d.settled = err == nil
	return err
}
