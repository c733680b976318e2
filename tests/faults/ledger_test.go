package faults

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// newLedger makes a table with a row for every message that was worked on, and
// nothing that would keep one from being there twice; a promised row cannot be
// committed.
func newLedger(t testing.TB, db check.Querier) {
	t.Helper()
	check.Exec(t, db, `CREATE TABLE promise (id bigint PRIMARY KEY)`)
	check.Exec(t, db, `CREATE TABLE ledger (
		msg_id  bigint NOT NULL,
		promise bigint REFERENCES promise DEFERRABLE INITIALLY DEFERRED
	)`)
}

// enter writes the row of a message.
func enter(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
	_, err := tx.Exec(ctx, `INSERT INTO ledger (msg_id) VALUES ($1)`, m.ID)
	return err
}

// misuse leaves a transaction aborted.
func misuse(ctx context.Context, tx pgx.Tx) { _, _ = tx.Exec(ctx, `SELECT 1 / 0`) }

// ledgerQueue is a queue q with a ledger, in a database of the test's own.
func ledgerQueue(t testing.TB) (*queue.Queue[int64], *pgxpool.Pool) {
	t.Helper()
	pool := check.OwnDatabase(t)
	newLedger(t, pool)
	check.OK(t, admin.Create(t.Context(), pool, "dead"))
	return check.OwnQueue[int64](t, pool, "q"), pool
}

// entries counts the rows of a message.
func entries(t testing.TB, db check.Querier, id int64) int {
	t.Helper()
	return check.Value[int](t, db, `SELECT count(*)::int FROM ledger WHERE msg_id = $1`, id)
}

func shortly(int) time.Duration { return 20 * time.Millisecond }

func TestAPoisonMessageWhoseTransactionAbortsIsADeadLetterAfterMaxReads(t *testing.T) {
	check.Parallel(t)
	q, pool := ledgerQueue(t)
	const reads = 4
	id := check.Send(t, q, 1)
	var deliveries atomic.Int64
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
			deliveries.Add(1)
			err := enter(ctx, tx, m)
			misuse(ctx, tx)
			return err
		}, queue.MaxReads(reads), queue.DeadLetterTo("dead"), queue.Backoff(shortly), observe)
	})
	check.Eventually(t, "it is a dead letter", func() bool { return len(c.Of(queue.EventDeadLettered)) == 1 })
	check.EndAll(t, c)
	check.Equal(t, "deliveries", deliveries.Load(), reads)
	check.Equal(t, "rows", entries(t, pool, id), 0)
	check.Equal(t, "messages", check.Remains(t, pool, "q"), 0)
	dead := check.ReadOne(t, check.Open[int64](t, pool, "dead"))
	check.Equal(t, "the body", dead.Body, 1)
}

func TestADeliveryWhoseLeaseWasLostLeavesNoRow(t *testing.T) {
	check.Parallel(t)
	for what, wait := range map[string]bool{"and that ends at once": false, "and that hears of it": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			q, pool := ledgerQueue(t)
			id := check.Send(t, q, 1)
			var heard error
			c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
				return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
					if err := enter(ctx, tx, m); err != nil || m.Reads > 1 {
						return err
					}
					check.Exec(t, pool, `UPDATE pgmq.q_q SET read_ct = read_ct + 1, last_read_at = now() WHERE msg_id = $1`, m.ID)
					if wait {
						<-ctx.Done()
						heard = context.Cause(ctx)
					}
					return nil
				}, queue.VT(3*time.Second), observe)
			})
			check.Eventually(t, "it is told that the lease is lost", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
			check.Equal(t, "rows", entries(t, pool, id), 0)
			if wait {
				check.Is(t, heard, queue.ErrLeaseLost)
			}
			check.Is(t, c.Of(queue.EventLeaseLost)[0].Err, queue.ErrLeaseLost)
			check.Eventually(t, "it is handled again", func() bool { return check.Remains(t, pool, "q") == 0 })
			check.EndAll(t, c)
			check.Equal(t, "rows", entries(t, pool, id), 1)
			check.Equal(t, "settled", len(c.Of(queue.EventSettled)), 1)
		})
	}
}

func TestAMessageThatIsSettledElsewhereLeavesNoRow(t *testing.T) {
	check.Parallel(t)
	q, pool := ledgerQueue(t)
	id := check.Send(t, q, 1)
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
			check.Exec(t, pool, `DELETE FROM pgmq.q_q WHERE msg_id = $1`, m.ID)
			return enter(ctx, tx, m)
		}, observe)
	})
	check.Eventually(t, "it is told that the lease is lost", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	check.EndAll(t, c)
	check.Equal(t, "rows", entries(t, pool, id), 0)
}
