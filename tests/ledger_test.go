package tests

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
)

// newLedger makes a table with a row for every message that was worked on, and
// nothing that would keep one from being there twice; a promised row cannot be
// committed.
func newLedger(t testing.TB, db querier) {
	t.Helper()
	exec(t, db, `CREATE TABLE promise (id bigint PRIMARY KEY)`)
	exec(t, db, `CREATE TABLE ledger (
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
	pool := ownDatabase(t)
	newLedger(t, pool)
	ok(t, queue.Create(t.Context(), pool, "dead"))
	return ownQueue[int64](t, pool, "q"), pool
}

// entries counts the rows of a message.
func entries(t testing.TB, db querier, id int64) int {
	t.Helper()
	return value[int](t, db, `SELECT count(*)::int FROM ledger WHERE msg_id = $1`, id)
}

func shortly(int) time.Duration { return 20 * time.Millisecond }

func TestAPoisonMessageWhoseTransactionAbortsIsADeadLetterAfterMaxReads(t *testing.T) {
	t.Parallel()
	q, pool := ledgerQueue(t)
	const reads = 4
	id := send(t, q, 1)
	var deliveries atomic.Int64
	c := background(t, q, func(ctx context.Context, q *queue.Queue[int64]) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
			deliveries.Add(1)
			err := enter(ctx, tx, m)
			misuse(ctx, tx)
			return err
		}, queue.MaxReads(reads), queue.DeadLetterTo("dead"), queue.Backoff(shortly))
	})
	eventually(t, "it is a dead letter", func() bool { return len(c.of(queue.DeadLettered)) == 1 })
	quiet(t, c)
	equal(t, "deliveries", deliveries.Load(), reads)
	equal(t, "rows", entries(t, pool, id), 0)
	equal(t, "messages", remains(t, pool, "q"), 0)
	dead := readOne(t, open[int64](t, pool, "dead"))
	equal(t, "the body", dead.Body, 1)
}

func TestADeliveryWhoseLeaseWasLostLeavesNoRow(t *testing.T) {
	t.Parallel()
	for what, wait := range map[string]bool{"and that ends at once": false, "and that hears of it": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			q, pool := ledgerQueue(t)
			id := send(t, q, 1)
			var heard error
			c := background(t, q, func(ctx context.Context, q *queue.Queue[int64]) error {
				return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
					if err := enter(ctx, tx, m); err != nil || m.Reads > 1 {
						return err
					}
					exec(t, pool, `UPDATE pgmq.q_q SET read_ct = read_ct + 1, last_read_at = now() WHERE msg_id = $1`, m.ID)
					if wait {
						<-ctx.Done()
						heard = context.Cause(ctx)
					}
					return nil
				}, queue.VT(time.Second))
			})
			eventually(t, "it is told that the lease is lost", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
			equal(t, "rows", entries(t, pool, id), 0)
			if wait {
				is(t, heard, queue.ErrLeaseLost)
			}
			is(t, c.of(queue.LeaseLost)[0].Err, queue.ErrLeaseLost)
			eventually(t, "it is handled again", func() bool { return remains(t, pool, "q") == 0 })
			quiet(t, c)
			equal(t, "rows", entries(t, pool, id), 1)
			equal(t, "settled", len(c.of(queue.Settled)), 1)
		})
	}
}

func TestAMessageThatIsSettledElsewhereLeavesNoRow(t *testing.T) {
	t.Parallel()
	q, pool := ledgerQueue(t)
	id := send(t, q, 1)
	c := background(t, q, func(ctx context.Context, q *queue.Queue[int64]) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
			exec(t, pool, `DELETE FROM pgmq.q_q WHERE msg_id = $1`, m.ID)
			return enter(ctx, tx, m)
		})
	})
	eventually(t, "it is told that the lease is lost", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
	quiet(t, c)
	equal(t, "rows", entries(t, pool, id), 0)
}
