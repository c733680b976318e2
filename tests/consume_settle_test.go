package tests

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// Results are recorded together; one that the server refuses is recorded alone.
func TestOneResultThatIsRefusedHarmsNoOther(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	exec(t, pgtest.Pool(), tables(dead.Name(), `ALTER TABLE {Q} ADD CHECK (message->>'order_id' <> '13')`))
	sendBatch(t, q, numbered(100))
	gathered := make(chan struct{})
	c := consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		if m.Body.ID == 99 {
			close(gathered)
		}
		<-gathered // so that all results come at once
		return queue.DeadLetter(errWork)
	}, queue.DeadLetterTo(dead.Name()), queue.Workers(100))
	eventually(t, "the others are dead", func() bool { return length(t, dead) == 99 })
	eventually(t, "it is told", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
	sqlState(t, as[*pgconn.PgError](t, c.of(queue.LeaseLost)[0].Err), "23514")
	equal(t, "messages", length(t, q), 1)
	ok(t, c.end())
}
