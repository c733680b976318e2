package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// Maintain makes the partitions that a partitioned queue lacks. It moves the
// messages that came before their partition existed into it, and drops partitions
// older than the queue's retention. Every program may call it, as often as it
// likes; without partitions it does nothing. conn must not be a transaction.
//
// Long transactions can keep a table from being maintained. The server then sends
// a WARNING, there is no error, and the next call tries again. Errors:
// [queue.ErrInvalidName], [queue.ErrNoSchema], and errors of pgx.
func Maintain(ctx context.Context, conn queue.DB, name string) error {
	b, err := table.Open(conn, name)
	if err != nil {
		return err
	}
	if err := maintain(ctx, conn, pgtype.Text{String: name, Valid: true}); err != nil {
		return b.Fail("maintain", err)
	}
	return nil
}

// MaintainAll is Maintain for every queue.
func MaintainAll(ctx context.Context, conn queue.DB) error {
	if conn == nil {
		return fmt.Errorf("maintain queues: %w", errNoDB)
	}
	if err := maintain(ctx, conn, pgtype.Text{}); err != nil {
		table.Renew(conn, err)
		return fmt.Errorf("maintain queues: %w", pgerr.Explain(err))
	}
	return nil
}

func maintain(ctx context.Context, conn queue.DB, name pgtype.Text) error {
	return table.Repeat(ctx, conn, func() error { return queries.Maintain(ctx, conn, name) })
}

// Now returns the time by the server's clock. Delays, leases and archives use this
// clock. It needs no schema.
func Now(ctx context.Context, conn queue.DB) (time.Time, error) {
	if conn == nil {
		return time.Time{}, fmt.Errorf("server's clock: %w", errNoDB)
	}
	now, err := table.Ask(ctx, table.Printed(conn), queries.Now)
	if err != nil {
		return time.Time{}, fmt.Errorf("server's clock: %w", err)
	}
	return now, nil
}
