package table

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/pgerr"
)

// mostAttempts is how often a statement may give way. With ten, and pauses of up to
// 50 ms, all of 64 senders succeed that collide at each attempt.
const mostAttempts = 10

var gaveWay = generics.Exponential(time.Millisecond, 50*time.Millisecond)

// Run runs a generated query, as Repeat does.
func Run[P, R any](
	ctx context.Context, on db.DBTX, query func(context.Context, db.DBTX, P) (R, error), params P,
) (result R, err error) {
	err = Repeat(ctx, on, func() error {
		result, err = query(ctx, on, params)
		return err
	})
	return result, err
}

// Ask is Run for a query without parameters.
func Ask[R any](ctx context.Context, on db.DBTX, query func(context.Context, db.DBTX) (R, error)) (result R, err error) {
	err = Repeat(ctx, on, func() error {
		result, err = query(ctx, on)
		return err
	})
	return result, err
}

// Repeat runs a statement again that the server rolled back for the sake of another
// transaction, as it does where default_transaction_isolation is serializable. It
// does so only where the statement is a transaction of its own: only the caller can
// repeat a transaction of the caller's.
func Repeat(ctx context.Context, on db.DBTX, statement func() error) error {
	for attempt := 1; ; attempt++ {
		err := statement()
		if err == nil || !pgerr.GaveWay(err) || !Alone(on) ||
			attempt == mostAttempts || !generics.Sleep(ctx, gaveWay(attempt)) {
			return err
		}
	}
}
