package engine

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgerr"
)

// InTx runs a handler in a transaction that settles its delivery as well: both
// commit or neither does.
func (e *Engine) InTx(ctx context.Context, d *Delivery, handle func(pgx.Tx) error) (err error) {
	conn, release, err := e.begin(ctx)
	if err != nil {
		d.ours = true
		return fmt.Errorf("the transaction for the handler: %w", err)
	}
	defer release()
	tx, err := conn.BeginTx(ctx, markedTx)
	if err != nil {
		d.ours = true
		return fmt.Errorf("the transaction for the handler: %w", err)
	}
	// Commit the handler's writes, or learn that they failed, even when its ctx has just
	// ended.
	ending, cancel := outlast(ctx, e.options.MaxLease, answerTimeout)
	defer cancel()
	defer func() { // also after a panic and Goexit
		if d.settled {
			return
		}
		d.txOver = d.txOver || over(ending, conn)
		_ = tx.Rollback(ending) // if that fails, the pool closes the connection
		if pgerr.ReadOnly(err) {
			d.ours = true
			_ = conn.Conn().Close(ending) // see table.Renew
		}
	}()
	if err := handle(ownedTx{tx}); err != nil {
		return err
	}
	if err := e.leases.whyLost(d); err != nil {
		return err
	}
	return e.settleIn(ending, tx, d)
}

// begin returns a connection for a handler's transaction, through outages, when a
// place is free: handlers never take the last connections of the pool.
func (e *Engine) begin(ctx context.Context) (conn *pgxpool.Conn, release func(), err error) {
	defer e.awaitPool(ctx, "a handler of ConsumeTx")()
	leave, err := e.listener.Transactions.Enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = e.persist(ctx, func(ctx context.Context) (err error) {
		conn, err = e.pool.Acquire(ctx)
		return err
	})
	if err != nil {
		leave()
		return nil, nil, err
	}
	return conn, func() { conn.Release(); leave() }, nil
}

// settleIn settles a delivery whose handler has returned nil, and commits.
func (e *Engine) settleIn(ctx context.Context, tx pgx.Tx, d *Delivery) error {
	// The transaction locks the row until it commits; no heartbeat must wait for
	// that.
	e.leases.move(batch{d}, stageSettling, nil)
	switch tx.Conn().PgConn().TxStatus() {
	case 'I':
		return ErrTxEnded
	case 'E':
		return errTxAborted
	}
	same := true
	ids, err := e.record(ctx, markedConn{tx, &same}, e.options.Done, batch{d})
	switch {
	case !same:
		d.txOver = true
		return ErrTxEnded
	case err == nil && len(ids) == 0:
		return leaseLost("another has the message, or it is gone")
	case err == nil:
		err = tx.Commit(ctx)
	}
	d.settled = err == nil
	d.ours = !d.settled && !pgerr.Divisible(err)
	return err
}
