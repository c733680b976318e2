package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// looksAtOnce is how many queues one statement looks at, so that it ends well within
// the usual statement timeouts.
const looksAtOnce = 200

// QueueMetrics are the figures of a queue at one moment. Counters only rise, so
// that a rate is the difference of two calls; they start again when the queue was
// dropped and created, or when the server's statistics were reset.
type QueueMetrics struct {
	Name string
	// Messages are the figures from the messages themselves; nil when they could
	// not be read, and Err says why.
	Messages *MessageMetrics
	// Err is nil, or why there are no Messages and no sizes: [queue.ErrNoQueue]
	// when the table is gone, else a *pgconn.PgError, such as 42501 for a role that
	// may not read it, 55P03 for a table that somebody has locked, 0A000 for an
	// unlogged queue on a standby.
	Err error
	// TableBytes and ArchiveBytes are the sizes of the queue's table and of its
	// archive, with indexes and partitions.
	TableBytes, ArchiveBytes int64
	// ArchiveLength is about how many messages the archive holds, by the server's
	// statistics; -1 when there are none yet.
	ArchiveLength int64
	// Deleted counts the rows that were deleted from the queue's table since the
	// server's statistics were reset, some seconds late.
	Deleted int64
}

// MessageMetrics are figures from the messages of a queue. Times are by the
// server's clock.
type MessageMetrics struct {
	At       time.Time // when they were taken
	Length   int64     // all messages: visible, in flight and delayed
	Visible  int64     // those that a reader would get now
	InFlight int64     // hidden after a read
	Delayed  int64     // hidden and never read
	// Estimated says that the four counts are from a sample of 32 MB.
	Estimated bool
	// OldestVisible is when the oldest visible message was sent, Newest when the
	// newest one was; zero when there is no such message.
	OldestVisible, Newest time.Time
	MaxReads              int   // the most reads that a message had
	LastID                int64 // counter: the ids drawn so far, also by sends that were rolled back
}

// Metrics returns figures of the named queues, in the order of the names, or of
// all queues by name. Up to 32 MB of a queue is counted; of a longer one a sample
// of 32 MB, so that the cost has a limit. For exact counts there is [Stats].
//
// A queue that cannot be read has an Err of its own, and the others follow. Metrics
// keeps no lock on a queue, and waits half a second at most for one. Errors:
// [queue.ErrNoQueue] for a name that is not listed, [queue.ErrInvalidName],
// [queue.ErrNoSchema], and errors of pgx.
func Metrics(ctx context.Context, conn queue.DB, names ...string) ([]QueueMetrics, error) {
	if conn == nil {
		return nil, fmt.Errorf("metrics: %w", errNoDB)
	}
	listed, err := listedNames(ctx, conn, names)
	if err != nil {
		return nil, err
	}
	all := make([]QueueMetrics, 0, len(listed))
	for some := range slices.Chunk(listed, looksAtOnce) {
		rows, err := table.Run(ctx, table.Printed(conn), queries.Figures, some)
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", pgerr.Explain(err))
		}
		for _, row := range rows {
			all = append(all, metricsOf(row))
		}
	}
	return all, nil
}

// listedNames returns the names in the list of queues that the given ones mean, or
// all of them.
func listedNames(ctx context.Context, conn queue.DB, names []string) ([]string, error) {
	if len(names) == 0 {
		rows, err := table.Ask(ctx, table.Printed(conn), queries.List)
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", explainCatalogue(err))
		}
		for _, row := range rows {
			names = append(names, row.QueueName)
		}
		return names, nil
	}
	listed := make([]string, len(names))
	for i, name := range names {
		b, err := table.Open(conn, name)
		if err != nil {
			return nil, err
		}
		row, err := table.Run(ctx, table.Printed(conn), queries.Listed, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, b.Fail("metrics", pgerr.ErrNoQueue)
		}
		if err != nil {
			return nil, b.Fail("metrics", explainCatalogue(err))
		}
		listed[i] = row.QueueName
	}
	return listed, nil
}

func metricsOf(row db.FiguresRow) QueueMetrics {
	m := QueueMetrics{
		Name: row.QueueName, TableBytes: row.TableBytes, ArchiveBytes: row.ArchiveBytes, ArchiveLength: row.ArchiveEstimate, Deleted: row.Deleted,
	}
	if row.Code != "" {
		m.Err = pgerr.Explain(&pgconn.PgError{Severity: "ERROR", Code: row.Code, Message: row.Problem})
		return m
	}
	m.Messages = &MessageMetrics{
		At: row.At, Length: row.Length, Visible: row.Visible, Delayed: row.Delayed,
		InFlight:  row.Length - row.Visible - row.Delayed,
		Estimated: row.Estimated, MaxReads: int(row.MaxReadCt), LastID: row.LastID,
	}
	if row.OldestVisible.Unix() != 0 {
		m.Messages.OldestVisible = row.OldestVisible
	}
	if row.Newest.Unix() != 0 {
		m.Messages.Newest = row.Newest
	}
	return m
}
