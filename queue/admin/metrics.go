package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// countedBlocks of a queue are counted, 32 MB with the usual block size; of a
// longer one as many are sampled. pgmq.metrics does the same.
const countedBlocks = 4096

// QueueMetrics are the figures of a queue at one moment. Counters only rise, so
// that a rate is the difference of two calls; they start again when the queue was
// dropped and created, or when the server's statistics were reset.
type QueueMetrics struct {
	Name string
	// Messages are the figures from the messages themselves; nil when they could
	// not be read, and Err says why.
	Messages *MessageMetrics
	// Err is nil, or why there are no Messages: [queue.ErrNoQueue] when the table
	// is gone, else a *pgconn.PgError with code 42501 (insufficient_privilege).
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
// A queue that this role may not read, or whose table is gone, has an Err of its
// own, and the others follow. conn should be no transaction, which such a queue
// would abort. Errors: [queue.ErrNoQueue] for a name that is not listed,
// [queue.ErrInvalidName], [queue.ErrNoSchema], and what pgx returns.
func Metrics(ctx context.Context, conn queue.DB, names ...string) ([]QueueMetrics, error) {
	if conn == nil {
		return nil, fmt.Errorf("metrics: %w", errNoDB)
	}
	rows, err := tablesOf(ctx, conn, names)
	if err != nil {
		return nil, err
	}
	all := make([]QueueMetrics, len(rows))
	for i, row := range rows {
		if all[i], err = metricsOf(ctx, conn, row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tablesOf returns the sizes of the tables of the named queues, or of all.
func tablesOf(ctx context.Context, conn queue.DB, names []string) ([]db.TablesRow, error) {
	if len(names) == 0 {
		rows, err := table.Run(ctx, conn, queries.Tables, pgtype.Text{})
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", explainCatalogue(err))
		}
		return rows, nil
	}
	var all []db.TablesRow
	for _, name := range names {
		b, err := table.Open(conn, name)
		if err != nil {
			return nil, err
		}
		rows, err := table.Run(ctx, conn, queries.Tables, pgtype.Text{String: name, Valid: true})
		if err != nil {
			return nil, b.Fail("metrics", explainCatalogue(err))
		}
		if len(rows) == 0 {
			return nil, b.Fail("metrics", pgerr.ErrNoQueue)
		}
		all = append(all, rows...)
	}
	return all, nil
}

func metricsOf(ctx context.Context, conn queue.DB, row db.TablesRow) (QueueMetrics, error) {
	m := QueueMetrics{
		Name: row.QueueName, TableBytes: row.Size, ArchiveBytes: row.ArchiveSize, ArchiveLength: row.ArchiveEstimate, Deleted: row.Deleted,
	}
	b, err := table.Open(conn, row.QueueName)
	if err != nil {
		m.Err = err
		return m, nil //nolint:nilerr // it is part of the result
	}
	percent := 100.0
	if row.Blocks > countedBlocks {
		percent = 100 * countedBlocks / float64(row.Blocks)
	}
	counted, err := table.Run(ctx, b.Printed, queries.Metrics, percent)
	switch {
	case pgerr.Forbidden(err):
		m.Err = err
		return m, nil
	case pgerr.NoTable(err):
		m.Err = pgerr.Explain(err)
		return m, nil
	case err != nil:
		return m, b.Fail("metrics", err)
	}
	m.Messages = &MessageMetrics{
		At: counted.At, Length: counted.Length, Visible: counted.Visible, Delayed: counted.Delayed,
		InFlight:  counted.Length - counted.Visible - counted.Delayed,
		Estimated: percent < 100, MaxReads: int(counted.MaxReadCt), LastID: counted.LastID,
	}
	if counted.Visible > 0 {
		m.Messages.OldestVisible = counted.OldestVisible
	}
	if counted.Length > 0 {
		m.Messages.Newest = counted.Newest
	}
	return m, nil
}
