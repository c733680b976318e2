package consume

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// ledger makes a table that a handler writes to.
func ledger(t testing.TB) string {
	t.Helper()
	name := "ledger_" + pgtest.Name()
	check.Exec(t, pgtest.Pool(), `CREATE TABLE `+name+` (id bigint NOT NULL)`)
	t.Cleanup(func() { _, _ = pgtest.Pool().Exec(context.Background(), `DROP TABLE `+name) })
	return name
}

func TestConsumeTxCommitsTheEffectAndTheSettlingTogether(t *testing.T) {
	check.Parallel(t)
	q, table := pgtest.Queue[check.Order](t), ledger(t)
	check.SendBatch(t, q, make([]check.Order, 200))
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[check.Order]) error {
			_, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1)`, m.ID)
			if err == nil && m.Reads == 1 && m.ID%3 == 0 {
				return check.ErrWork // the row must go with it
			}
			return err
		}, atOnce, queue.ArchiveDone{}, observe)
	})
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "rows", check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 200)
	check.Equal(t, "different rows", check.Value[int](t, pgtest.Pool(), `SELECT count(DISTINCT id)::int FROM `+table), 200)
	check.Equal(t, "archived", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(*)::int FROM {A}`)), 200)
	check.Equal(t, "settled", len(c.Of(queue.EventSettled)), 200)
	check.Equal(t, "retried", len(c.Of(queue.EventRetried)), 66)
}

func TestConsumeTxOfAPoisonMessageCountsItsReads(t *testing.T) {
	check.Parallel(t)
	q, dead, table := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t), ledger(t)
	check.Send(t, q, check.Order{})
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[check.Order]) error {
			_, _ = tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1)`, m.ID)
			_, err := tx.Exec(ctx, `SELECT 1/0`) // aborts the transaction
			return err
		}, atOnce, queue.MaxReads(4), queue.DeadLetterTo(dead.Name()), observe)
	})
	check.Eventually(t, "it is dead", func() bool { return check.Length(t, dead) == 1 })
	check.OK(t, c.End())
	check.Equal(t, "reads", check.DeathOf(t, check.ReadOne(t, dead)).Reads, 4)
	check.Equal(t, "deliveries", len(c.Of(queue.EventDelivered)), 4)
	check.Equal(t, "rows", check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 0)
}

func TestConsumeTxWithALostLeaseRollsBack(t *testing.T) {
	check.Parallel(t)
	q, table := pgtest.Queue[check.Order](t), ledger(t)
	id := check.Send(t, q, check.Order{})
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[check.Order]) error {
			check.Steal(t, q.Name(), m.ID)
			_, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1)`, m.ID)
			return err
		}, observe)
	})
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	check.Equal(t, "the message", c.Of(queue.EventLeaseLost)[0].ID, id)
	check.Equal(t, "rows", check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 0)
	check.Equal(t, "messages", check.Length(t, q), 1)
}

func TestConsumeTxKeepsTheLeaseOfALongTransaction(t *testing.T) {
	check.Parallel(t)
	q, table := pgtest.Queue[check.Order](t), ledger(t)
	check.Send(t, q, check.Order{})
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[check.Order]) error {
			_, err := tx.Exec(ctx, `INSERT INTO `+table+` SELECT $1 FROM pg_sleep(7)`, m.ID)
			return err
		}, queue.VT(3*time.Second), queue.Workers(2), observe)
	})
	check.Eventually(t, "it is done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "deliveries", len(c.Of(queue.EventDelivered)), 1)
	check.Equal(t, "rows", check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table), 1)
}

// A message whose transaction takes long to commit has its row locked.
func TestASlowCommitDoesNotCostTheOthersTheirLeases(t *testing.T) {
	check.Parallel(t)
	q, table := pgtest.Queue[check.Order](t), ledger(t)
	check.Exec(t, pgtest.Pool(), `
		CREATE FUNCTION `+table+`_slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(7); RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON `+table+` DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION `+table+`_slow()`)
	check.SendBatch(t, q, make([]check.Order, 2))
	c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[check.Order]) error {
			if m.ID == 1 {
				_, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES (1)`)
				return err
			}
			select {
			case <-time.After(8 * time.Second):
			case <-ctx.Done():
				t.Error(context.Cause(ctx))
			}
			return nil
		}, queue.VT(3*time.Second), observe)
	})
	check.Eventually(t, "both are done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "deliveries", len(c.Of(queue.EventDelivered)), 2)
	check.Exec(t, pgtest.Pool(), `DROP FUNCTION `+table+`_slow CASCADE`)
}
