package admin

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// QueueStats has the exact counts of a queue. Times are by the server's clock.
type QueueStats struct {
	// Length counts all messages, hidden ones too.
	Length int64
	// Visible counts those that a reader would get now.
	Visible int64
	// Oldest and Newest are the first and last EnqueuedAt; zero when the queue is
	// empty.
	Oldest, Newest time.Time
	// At is when this was counted.
	At time.Time
}

// Stats counts the messages of a queue exactly. It reads the whole table, so call
// it seldom on a long queue: [Metrics] costs the same at any length. Errors:
// [queue.ErrInvalidName], [queue.ErrNoQueue], and errors of pgx.
func Stats(ctx context.Context, conn queue.DB, name string) (QueueStats, error) {
	b, err := table.Open(conn, name)
	if err != nil {
		return QueueStats{}, err
	}
	row, err := table.Ask(ctx, b.Printed, queries.Stats)
	if err != nil {
		return QueueStats{}, b.Fail("stats", err)
	}
	s := QueueStats{Length: row.Length, Visible: row.Visible, At: row.At}
	if s.Length > 0 {
		s.Oldest, s.Newest = row.Oldest, row.Newest
	}
	return s, nil
}
