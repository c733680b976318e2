package admin

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// Prune deletes a queue's messages archived before a time, by the server's clock, for
// good. It returns the number of deleted messages. The zero time deletes
// nothing. The option is [Progress].
//
// Each step deletes up to 1,000 messages in one statement. After an interruption
// another call goes on. In a transaction it is all or nothing.
//
// Errors: [queue.ErrInvalidName], [queue.ErrInvalidOption], [queue.ErrNoQueue],
// ctx's and those of pgx. With an error the number is that of the steps that
// succeeded; a step that was cut off may have been done as well.
func Prune(ctx context.Context, conn queue.DB, name string, before time.Time, opts ...PruneOption) (int64, error) {
	b, err := table.Open(conn, name)
	if err != nil {
		return 0, err
	}
	var o pruneOptions
	if err := option.Apply(&o, opts, PruneOption.applyPrune); err != nil {
		return 0, b.Fail("prune", err)
	}
	pruned, err := prune(ctx, b, before, o.progress)
	if err != nil {
		return pruned, b.Fail("prune", err)
	}
	return pruned, nil
}

func prune(ctx context.Context, b table.Bound, before time.Time, progress progress) (pruned int64, err error) {
	step := db.PruneArchiveParams{Before: before, N: movedAtOnce}
	for {
		row, err := table.Run(ctx, b.Printed, queries.PruneArchive, step)
		if err != nil {
			return pruned, err
		}
		if row.Pruned == 0 {
			return pruned, nil
		}
		pruned += row.Pruned
		progress.at(pruned)
		step.Since = &row.LastArchivedAt
	}
}
