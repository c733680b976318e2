package api

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func begin(t testing.TB) pgx.Tx {
	t.Helper()
	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
	return tx
}

func TestWhatIsSentInATransactionIsSentWithItOrNotAtAll(t *testing.T) {
	t.Parallel()
	q, other := pgtest.Queue[check.Order](t), pgtest.Queue[string](t)
	tx := begin(t)
	check.Send(t, q.WithTx(tx), check.Order{ID: 1})
	check.Send(t, other.WithTx(tx), "never")
	check.Equal(t, "inside", check.ReadOne(t, q.WithTx(tx)).Body.ID, 1)
	check.Equal(t, "outside", check.Length(t, q), 0)
	check.OK(t, tx.Rollback(t.Context()))
	check.Equal(t, "after rollback", check.Length(t, q)+check.Length(t, other), 0)

	tx = begin(t)
	check.Send(t, q.WithTx(tx), check.Order{ID: 2})
	check.Send(t, other.WithTx(tx), "sent")
	check.OK(t, tx.Commit(t.Context()))
	check.Equal(t, "after commit", check.ReadOne(t, q).Body.ID, 2)
	check.Equal(t, "after commit", check.ReadOne(t, other).Body, "sent")
}

func TestASettlementRollsBackWithItsTransaction(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{ID: 1})
	m := check.ReadOne(t, q)
	for _, settle := range []func(pgx.Tx) error{
		func(tx pgx.Tx) error { return q.WithTx(tx).Delete(t.Context(), m) },
		func(tx pgx.Tx) error { return q.WithTx(tx).Archive(t.Context(), m) },
	} {
		tx := begin(t)
		check.OK(t, settle(tx))
		check.OK(t, tx.Rollback(t.Context()))
	}
	check.OK(t, q.Delete(t.Context(), m))

	check.Send(t, q, check.Order{ID: 2})
	tx := begin(t)
	check.Equal(t, "Reads", check.ReadOne(t, q.WithTx(tx)).Reads, 1)
	check.ReadNone(t, q) // locked, and skipped
	check.OK(t, tx.Rollback(t.Context()))
	check.Equal(t, "Reads after rollback", check.ReadOne(t, q).Reads, 1)
}

func TestAQueueIsMadeWithItsTransaction(t *testing.T) {
	t.Parallel()
	name := pgtest.Name()
	tx := begin(t)
	check.OK(t, admin.Create(t.Context(), tx, name))
	check.Send(t, check.Open[check.Order](t, tx, name), check.Order{})
	check.OK(t, tx.Rollback(t.Context()))
	_, err := admin.Stats(t.Context(), pgtest.Pool(), name)
	check.Is(t, err, queue.ErrNoQueue)
}

func TestAConnectionWillDo(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), check.DSN(pgtest.Pool()))
	check.OK(t, err)
	defer conn.Close(t.Context())
	q := check.Open[check.Order](t, conn, pgtest.Queue[check.Order](t).Name())
	check.Send(t, q, check.Order{ID: 1})
	check.OK(t, q.Delete(t.Context(), check.ReadOne(t, q)))
}
