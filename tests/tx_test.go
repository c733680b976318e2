package tests

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func begin(t testing.TB) pgx.Tx {
	t.Helper()
	tx, err := pgtest.Pool().Begin(t.Context())
	ok(t, err)
	t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
	return tx
}

func TestWhatIsSentInATransactionIsSentWithItOrNotAtAll(t *testing.T) {
	t.Parallel()
	q, other := pgtest.Queue[Order](t), pgtest.Queue[string](t)
	tx := begin(t)
	send(t, q.WithTx(tx), Order{ID: 1})
	send(t, other.WithTx(tx), "never")
	equal(t, "inside", readOne(t, q.WithTx(tx)).Body.ID, 1)
	equal(t, "outside", length(t, q), 0)
	ok(t, tx.Rollback(t.Context()))
	equal(t, "after rollback", length(t, q)+length(t, other), 0)

	tx = begin(t)
	send(t, q.WithTx(tx), Order{ID: 2})
	send(t, other.WithTx(tx), "sent")
	ok(t, tx.Commit(t.Context()))
	equal(t, "after commit", readOne(t, q).Body.ID, 2)
	equal(t, "after commit", readOne(t, other).Body, "sent")
}

func TestASettlementRollsBackWithItsTransaction(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{ID: 1})
	m := readOne(t, q)
	for _, settle := range []func(pgx.Tx) error{
		func(tx pgx.Tx) error { return q.WithTx(tx).Delete(t.Context(), m) },
		func(tx pgx.Tx) error { return q.WithTx(tx).Archive(t.Context(), m) },
	} {
		tx := begin(t)
		ok(t, settle(tx))
		ok(t, tx.Rollback(t.Context()))
	}
	ok(t, q.Delete(t.Context(), m))

	send(t, q, Order{ID: 2})
	tx := begin(t)
	equal(t, "Reads", readOne(t, q.WithTx(tx)).Reads, 1)
	readNone(t, q) // locked, and skipped
	ok(t, tx.Rollback(t.Context()))
	equal(t, "Reads after rollback", readOne(t, q).Reads, 1)
}

func TestAQueueIsMadeWithItsTransaction(t *testing.T) {
	t.Parallel()
	name := pgtest.Name()
	tx := begin(t)
	ok(t, queue.Create(t.Context(), tx, name))
	send(t, open[Order](t, tx, name), Order{})
	ok(t, tx.Rollback(t.Context()))
	_, err := queue.Stats(t.Context(), pgtest.Pool(), name)
	is(t, err, queue.ErrNoQueue)
}

func TestAConnectionWillDo(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), dsn(pgtest.Pool()))
	ok(t, err)
	defer conn.Close(t.Context())
	q := open[Order](t, conn, pgtest.Queue[Order](t).Name())
	send(t, q, Order{ID: 1})
	ok(t, q.Delete(t.Context(), readOne(t, q)))
}
