package inspect

import (
	"context"
	"fmt"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/queue"
)

// Server identifies the server, and has the settings that a commit on it depends on.
type Server struct {
	Version           string // such as 17.2
	SynchronousCommit string // the setting, on or off among others
	Fsync             string // the setting, on or off
}

// ServerOf asks the server about itself.
func ServerOf(ctx context.Context, conn queue.DB) (Server, error) {
	row, err := db.New().Durability(ctx, conn)
	if err != nil {
		return Server{}, fmt.Errorf("server's settings: %w", err)
	}
	return Server{Version: row.Version, SynchronousCommit: row.SynchronousCommit, Fsync: row.Fsync}, nil
}

// NextTransaction returns the id that the next transaction that writes will have,
// on the whole server. The difference of two is how many there were.
func NextTransaction(ctx context.Context, conn queue.DB) (int64, error) {
	id, err := db.New().NextTransaction(ctx, conn)
	if err != nil {
		return 0, fmt.Errorf("server's transactions: %w", err)
	}
	return id, nil
}
