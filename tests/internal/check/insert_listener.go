package check

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// InsertListener is a connection that listens to the notifications of
// pgmq.enable_notify_insert.
type InsertListener struct {
	*pgx.Conn
	pool  *pgxpool.Pool
	fence string
}

// ListenTo begins to listen, by the queue's name as it was made.
func ListenTo(t testing.TB, pool *pgxpool.Pool, name string) InsertListener {
	t.Helper()
	l := InsertListener{Connection(t, pool), pool, "fence of " + pgtest.Name()}
	Exec(t, l, "LISTEN "+pgx.Identifier{"pgmq.q_" + name + ".INSERT"}.Sanitize())
	Exec(t, l, "LISTEN "+pgx.Identifier{l.fence}.Sanitize())
	return l
}

// Heard counts the notifications since its last call. Those committed before the call
// arrive before the fence.
func (l InsertListener) Heard(t testing.TB) int {
	t.Helper()
	Exec(t, l.pool, "SELECT pg_notify($1, '')", l.fence)
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), Patience)
		notification, err := l.WaitForNotification(ctx)
		cancel()
		OK(t, err)
		if notification.Channel == l.fence {
			return n
		}
		Equal(t, "the payload", notification.Payload, "")
	}
}
