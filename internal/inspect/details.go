package inspect

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// Details are everything about a queue.
type Details struct {
	Queue
	Kind        string         `json:"kind"`
	CreatedAt   time.Time      `json:"created_at"`
	Table       *admin.Table   `json:"queue"`   // nil when it is gone
	Archive     *admin.Table   `json:"archive"` // nil when it is gone
	Notify      *admin.Notify  `json:"notify"`  // nil when the SQL functions do not notify
	Topics      []string       `json:"topics"`
	DeadLetters []admin.Origin `json:"dead_letters"` // among the first 1,000 messages
	Unreadable  []string       `json:"unreadable,omitempty"`
}

// DetailsOf returns everything about the named queue. It names the parts that this role
// may not read; they are no error.
func DetailsOf(ctx context.Context, conn queue.DB, name string) (*Details, error) {
	d, err := admin.Describe(ctx, conn, name)
	if err != nil {
		return nil, err
	}
	return &Details{
		Queue: queueOf(d.Metrics), Kind: Kind(d.Info), CreatedAt: d.CreatedAt,
		Table: d.Queue, Archive: d.Archive, Notify: d.Notify,
		// In JSON none is [].
		Topics: append([]string{}, d.Topics...), DeadLetters: append([]admin.Origin{}, d.DeadLetters...),
		Unreadable: d.Unreadable,
	}, nil
}

// Kind is a word for how a queue is stored: standard, unlogged or partitioned.
func Kind(info admin.Info) string {
	switch {
	case info.Partitioned:
		return "partitioned"
	case info.Storage == admin.Unlogged:
		return "unlogged"
	}
	return "standard"
}
