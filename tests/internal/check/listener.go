package check

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
)

// HoldHorizon keeps dead rows from being cleaned up, as a long report does.
func HoldHorizon(t testing.TB) {
	t.Helper()
	conn := Connection(t, pgtest.Pool())
	Exec(t, conn, `BEGIN ISOLATION LEVEL REPEATABLE READ`)
	Exec(t, conn, `SELECT FROM pgmq.meta`)
}

// Waiter listens for one queue, as a consumer does.
type Waiter struct {
	*pgx.Conn
	Bound db.DBTX
	Table string
	fence string
}

// WaiterOf listens, and has not subscribed yet.
func WaiterOf(t testing.TB, name string) Waiter {
	t.Helper()
	w := Waiter{Conn: Connection(t, pgtest.Pool()), fence: "fence of " + pgtest.Name()}
	w.Bound = tab.New(name).Bind(w.Conn)
	found, err := db.New().Find(t.Context(), w.Bound)
	OK(t, err)
	w.Table = found.Name
	Exec(t, w, `LISTEN "pgmq.wake"`)
	Exec(t, w, "LISTEN "+pgx.Identifier{w.fence}.Sanitize())
	return w
}

// WaitsFor is WaiterOf with a subscription.
func WaitsFor(t testing.TB, name string) Waiter {
	t.Helper()
	w := WaiterOf(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	OK(t, db.New().Subscribe(ctx, w.Bound, w.Table)) // not at once where a sender left its lock
	return w
}

// Heard counts the notifications since it was last called.
func (w Waiter) Heard(t testing.TB) int {
	t.Helper()
	Exec(t, pgtest.Pool(), "SELECT pg_notify($1, '')", w.fence)
	for n := 0; ; {
		ctx, cancel := context.WithTimeout(t.Context(), Patience)
		notification, err := w.WaitForNotification(ctx)
		cancel()
		OK(t, err)
		switch {
		case notification.Channel == w.fence:
			return n
		case notification.Payload == w.Table: // the channel is everybody's
			n++
		}
	}
}
