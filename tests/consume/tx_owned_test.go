package consume

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// consumeWith runs ConsumeTx with a handler that writes a row first.
func consumeWith(t *testing.T, q *queue.Queue[order], table string, then func(context.Context, pgx.Tx) error, opts ...queue.ConsumeOption) *check.Consuming {
	return check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[order]) error {
			if _, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1)`, m.ID); err != nil {
				return err
			}
			return then(ctx, tx)
		}, append(opts, atOnce, queue.MaxReads(3), observe)...)
	})
}

func rowsOf(t *testing.T, table string) int {
	return check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM `+table)
}

func TestAHandlerCannotCommit(t *testing.T) {
	check.Parallel(t)
	q, table := pgtest.Queue[order](t), ledger(t)
	check.Send(t, q, order{})
	c := consumeWith(t, q, table, func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) })
	d := archivedDeath(t, q.Name())
	check.Contains(t, d.Error, "ConsumeTx ends this transaction")
	check.Equal(t, "effects", rowsOf(t, table), 0)
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventDeadLettered)) == 1 })
	check.Is(t, c.Of(queue.EventDeadLettered)[0].Err, queue.ErrTxOwned)
}

func TestHabitsThatDoNoHarmStayHarmless(t *testing.T) {
	check.Parallel(t)
	for name, then := range map[string]func(context.Context, pgx.Tx) error{
		"a deferred Rollback": func(ctx context.Context, tx pgx.Tx) error {
			defer func() {
				if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
					t.Error(err)
				}
			}()
			return nil
		},
		"a Commit whose error is dropped": func(ctx context.Context, tx pgx.Tx) error {
			_ = tx.Commit(ctx)
			return nil
		},
		"savepoints": func(ctx context.Context, tx pgx.Tx) error {
			err := pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error {
				_, err := sp.Exec(ctx, `SELECT 1/0`)
				return err
			})
			if err == nil {
				t.Error("no error")
			}
			sp, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			defer func() { _ = sp.Rollback(ctx) }()
			return sp.Commit(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, table := pgtest.Queue[order](t), ledger(t)
			check.Send(t, q, order{})
			c := consumeWith(t, q, table, then)
			check.Eventually(t, "it is done", func() bool { return check.Length(t, q) == 0 })
			check.OK(t, c.End())
			check.Equal(t, "settled", len(c.Of(queue.EventSettled)), 1)
			check.Equal(t, "effects", rowsOf(t, table), 1)
		})
	}
}

func TestAHandlerThatEndsItsTransactionRepeatsNoEffect(t *testing.T) {
	check.Parallel(t)
	exec := func(sql string, result error) func(context.Context, pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, sql); err != nil {
				t.Error(err)
			}
			return result
		}
	}
	for name, c := range map[string]struct {
		then    func(context.Context, pgx.Tx) error
		effects int
	}{
		"by SQL":             {exec(`COMMIT`, nil), 1},
		"and then fails":     {exec(`COMMIT`, check.ErrWork), 1},
		"and begins another": {exec(`COMMIT; BEGIN`, nil), 1},
		"another, and fails": {exec(`COMMIT; BEGIN`, check.ErrWork), 1},
		"in a chain":         {exec(`COMMIT AND CHAIN`, nil), 1},
		"rolls back":         {exec(`ROLLBACK`, nil), 0},
		"rolls back and on":  {exec(`ROLLBACK AND CHAIN`, nil), 0},
		"on the connection":  {func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Conn().Exec(ctx, `COMMIT`); return err }, 1},
		"by a Tx of its own": {func(ctx context.Context, tx pgx.Tx) error {
			return pgx.BeginFunc(ctx, tx.Conn(), func(pgx.Tx) error { return nil })
		}, 1},
		"and closes it after": {func(ctx context.Context, tx pgx.Tx) error { _, _ = tx.Exec(ctx, `COMMIT`); return tx.Conn().Close(ctx) }, 1},
		"and panics":          {func(ctx context.Context, tx pgx.Tx) error { _, _ = tx.Exec(ctx, `COMMIT`); panic(1) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, dead, table := pgtest.Queue[order](t), pgtest.Queue[order](t), ledger(t)
			check.Send(t, q, order{})
			consuming := consumeWith(t, q, table, c.then, queue.DeadLetterTo(dead.Name()))
			check.Eventually(t, "it is put aside", func() bool { return check.Length(t, dead) == 1 })
			check.OK(t, consuming.End())
			check.Equal(t, "deliveries", len(consuming.Of(queue.EventDelivered)), 1)
			check.Equal(t, "effects", rowsOf(t, table), c.effects)
			check.Equal(t, "reason", check.DeathOf(t, check.ReadOne(t, dead)).Reason, queue.ReasonTxEnded)
			check.Is(t, consuming.Of(queue.EventDeadLettered)[0].Err, queue.ErrTxEnded)
		})
	}
}

// A transaction that can only roll back has done nothing, for any result of the handler.
func TestAHandlerThatSwallowsAnErrorHasFailed(t *testing.T) {
	check.Parallel(t)
	for name, then := range map[string]func(context.Context, pgx.Tx) error{
		"it is aborted": func(ctx context.Context, tx pgx.Tx) error { _, _ = tx.Exec(ctx, `SELECT 1/0`); return nil },
		"it is closed":  func(ctx context.Context, tx pgx.Tx) error { return tx.Conn().Close(ctx) },
		"it is busy": func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Query(ctx, `SELECT generate_series(1, 100000)`) //nolint:sqlclosecheck // that is the case
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, table := pgtest.Queue[order](t), ledger(t)
			check.Send(t, q, order{})
			first := true
			c := consumeWith(t, q, table, func(ctx context.Context, tx pgx.Tx) error {
				if !first {
					return nil
				}
				first = false
				return then(ctx, tx)
			}, queue.Workers(1))
			check.Eventually(t, "it is done", func() bool { return check.Length(t, q) == 0 })
			check.OK(t, c.End())
			check.Equal(t, "effects", rowsOf(t, table), 1)
			check.Equal(t, "deliveries", len(c.Of(queue.EventDelivered)), 2)
			check.Equal(t, "failures", len(c.Of(queue.EventRetried))+len(c.Of(queue.EventReturned)), 1)
		})
	}
}
