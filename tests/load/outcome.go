package load

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/history"
)

// outcome is the result of a statement that is a transaction of its own, or of a COMMIT,
// by its error.
func outcome(err error) history.Outcome {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return history.OK
	case errors.Is(err, queue.ErrOutcomeUnknown):
		return history.Unknown
	case errors.As(err, new(*pgconn.ConnectError)), errors.Is(err, pgx.ErrTxCommitRollback):
		// Not pgconn.SafeToRetry, which also holds when the connection breaks after a
		// COMMIT went out.
		return history.Failed
	case errors.As(err, &pg) && pg.Severity == "ERROR":
		return history.Failed // the transaction was rolled back; FATAL may come after the commit
	}
	return history.Unknown
}

// sendOutcome is outcome for Send and SendBatch, which promise that an error of
// their ctx says that nothing was sent, unless it is queue.ErrOutcomeUnknown.
func sendOutcome(err error) history.Outcome {
	if o := outcome(err); o != history.Unknown || errors.Is(err, queue.ErrOutcomeUnknown) {
		return o
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return history.Failed
	}
	return history.Unknown
}
