package tests

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// ledger makes a table that a handler writes to.
func ledger(t testing.TB) string {
	t.Helper()
	name := "ledger_" + pgtest.Name()
	exec(t, pgtest.Pool(), `CREATE TABLE `+name+` (id bigint NOT NULL)`)
	t.Cleanup(func() { _, _ = pgtest.Pool().Exec(context.Background(), `DROP TABLE `+name) })
	return name
}

func TestConsumeTxCommitsTheEffectAndTheSettlingTogether(t *testing.T) {
	t.Parallel()
	q, table := pgtest.Queue[Order](t), ledger(t)
	sendBatch(t, q, make([]Order, 200))
	c := background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[Order]) error {
			_, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1)`, m.ID)
			if err == nil && m.Reads == 1 && m.ID%3 == 0 {
				return errWork // the row must go with it
			}
			return err
		}, atOnce, queue.KeepArchive{})
	})
	eventually(t, "all are done", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	equal(t, "rows", value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 200)
	equal(t, "different rows", value[int](t, pgtest.Pool(), `SELECT count(DISTINCT id)::int FROM `+table), 200)
	equal(t, "archived", value[int](t, pgtest.Pool(), tables(q.Name(), `SELECT count(*)::int FROM {A}`)), 200)
	equal(t, "settled", len(c.of(queue.Settled)), 200)
	equal(t, "retried", len(c.of(queue.Retried)), 66)
}

func TestConsumeTxOfAPoisonMessageCountsItsReads(t *testing.T) {
	t.Parallel()
	q, dead, table := pgtest.Queue[Order](t), pgtest.Queue[Order](t), ledger(t)
	send(t, q, Order{})
	c := background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[Order]) error {
			_, _ = tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1)`, m.ID)
			_, err := tx.Exec(ctx, `SELECT 1/0`) // aborts the transaction
			return err
		}, atOnce, queue.MaxReads(4), queue.DeadLetterTo(dead.Name()))
	})
	eventually(t, "it is dead", func() bool { return length(t, dead) == 1 })
	ok(t, c.end())
	equal(t, "reads", deathOf(t, readOne(t, dead)).Reads, 4)
	equal(t, "deliveries", len(c.of(queue.Delivered)), 4)
	equal(t, "rows", value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 0)
}

func TestConsumeTxWithALostLeaseRollsBack(t *testing.T) {
	t.Parallel()
	q, table := pgtest.Queue[Order](t), ledger(t)
	id := send(t, q, Order{})
	c := background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[Order]) error {
			steal(t, q.Name(), m.ID)
			_, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1)`, m.ID)
			return err
		})
	})
	eventually(t, "it is told", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
	equal(t, "the message", c.of(queue.LeaseLost)[0].ID, id)
	equal(t, "rows", value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 0)
	equal(t, "messages", length(t, q), 1)
}

func TestConsumeTxKeepsTheLeaseOfALongTransaction(t *testing.T) {
	t.Parallel()
	q, table := pgtest.Queue[Order](t), ledger(t)
	send(t, q, Order{})
	c := background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[Order]) error {
			_, err := tx.Exec(ctx, `INSERT INTO `+table+` SELECT $1 FROM pg_sleep(2)`, m.ID)
			return err
		}, queue.VT(400*time.Millisecond), queue.Workers(2))
	})
	eventually(t, "it is done", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	equal(t, "deliveries", len(c.of(queue.Delivered)), 1)
	equal(t, "rows", value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 1)
}

// A message whose transaction takes long to commit has its row locked.
func TestASlowCommitDoesNotCostTheOthersTheirLeases(t *testing.T) {
	t.Parallel()
	q, table := pgtest.Queue[Order](t), ledger(t)
	exec(t, pgtest.Pool(), `
		CREATE FUNCTION `+table+`_slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON `+table+` DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION `+table+`_slow()`)
	sendBatch(t, q, make([]Order, 2))
	c := background(t, q, func(ctx context.Context, q *queue.Queue[Order]) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[Order]) error {
			if m.ID == 1 {
				_, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES (1)`)
				return err
			}
			select {
			case <-time.After(2500 * time.Millisecond):
			case <-ctx.Done():
				t.Error(context.Cause(ctx))
			}
			return nil
		}, queue.VT(600*time.Millisecond))
	})
	eventually(t, "both are done", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	equal(t, "deliveries", len(c.of(queue.Delivered)), 2)
	exec(t, pgtest.Pool(), `DROP FUNCTION `+table+`_slow CASCADE`)
}
