package engine

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrTxOwned is the error of Commit and Rollback of a handler's transaction.
var ErrTxOwned error = txOwned{}

// txOwned matches pgx.ErrTxClosed, which callers of a Rollback that they have
// deferred expect.
type txOwned struct{}

func (txOwned) Error() string {
	return "ConsumeTx ends this transaction: it commits when the handler returns nil, and rolls back when the handler returns an error"
}

func (txOwned) Is(target error) bool { return target == pgx.ErrTxClosed }

// ErrTxEnded is the error of a handler that ended its transaction by SQL or by its conn.
var ErrTxEnded = errors.New("the handler ended the transaction of ConsumeTx, so its writes may be there without the message being settled; " +
	"the message was put aside, so that they do not happen twice: leave COMMIT and ROLLBACK to ConsumeTx")

// errTxAborted is the error of a handler that swallowed an error of the server.
var errTxAborted = errors.New("the handler returned nil, but a statement of its transaction had failed, and so the transaction can only roll back: " +
	"return that error, or run the statement in a savepoint (tx.Begin)")

// ownedTx is the transaction that a handler gets.
type ownedTx struct{ pgx.Tx }

func (ownedTx) Commit(context.Context) error   { return ErrTxOwned }
func (ownedTx) Rollback(context.Context) error { return ErrTxOwned }

// The marker is a setting that ends with the transaction, and so tells it from
// another one on the same connection.
var (
	markedTx   = pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL pgmq.delivery = 'open'"}
	readMarker = "SELECT coalesce(current_setting('pgmq.delivery', true) = 'open', false)"
)

// markedConn runs batches in a handler's transaction, and finds out in the same round
// trip whether it still is that transaction.
type markedConn struct {
	pgx.Tx
	same *bool
}

// SendBatch runs the batch behind a look at the marker. An error of the look is that
// of the batch.
func (c markedConn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	marked := &pgx.Batch{}
	marked.Queue(readMarker)
	marked.QueuedQueries = append(marked.QueuedQueries, b.QueuedQueries...)
	results := c.Tx.SendBatch(ctx, marked)
	_ = results.QueryRow().Scan(c.same)
	return results
}

// over reports whether a handler's transaction has ended, or another one has begun
// since; false in doubt.
func over(ctx context.Context, conn *pgxpool.Conn) bool {
	switch conn.Conn().PgConn().TxStatus() {
	case 'I':
		return true // also if the connection was closed afterwards
	case 'E':
		return false
	}
	same := true // the server rolls back for a connection that is closed
	_ = conn.QueryRow(ctx, readMarker).Scan(&same)
	return !same
}
