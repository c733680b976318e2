package consume

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Results are recorded together; one that the server refuses is recorded alone.
func TestOneResultThatIsRefusedHarmsNoOther(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	check.Exec(t, pgtest.Pool(), check.Tables(dead.Name(), `ALTER TABLE {Q} ADD CHECK (message->>'order_id' <> '13')`))
	check.SendBatch(t, q, check.Numbered(100))
	gathered := make(chan struct{})
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		if m.Body.ID == 99 {
			close(gathered)
		}
		check.Hold(gathered) // so that all results come at once
		return queue.DeadLetter(check.ErrWork)
	}, queue.DeadLetterTo(dead.Name()), queue.Workers(100))
	check.Eventually(t, "the others are dead", func() bool { return check.Length(t, dead) == 99 })
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	check.SQLState(t, check.As[*pgconn.PgError](t, c.Of(queue.EventLeaseLost)[0].Err), "23514")
	check.Equal(t, "messages", check.Length(t, q), 1)
	check.OK(t, c.End())
}
