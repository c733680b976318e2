package api

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// yielding makes the server give way in two of three statements that write to a
// queue, or in all. The sequence counts them, also those that were rolled back.
func yielding(t testing.TB, pool *pgxpool.Pool, name, code, when string) {
	t.Helper()
	check.Exec(t, pool, `CREATE SEQUENCE tries`)
	check.Exec(t, pool, fmt.Sprintf(`CREATE FUNCTION yield() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('public.tries') %% 3 <> 0 OR %s THEN RAISE EXCEPTION 'it gives way' USING ERRCODE = '%s'; END IF;
		RETURN NULL;
	END $$`, when, code))
	check.Exec(t, pool, check.Tables(name, `
		CREATE TRIGGER yield AFTER INSERT OR UPDATE OR DELETE ON {Q} FOR EACH STATEMENT EXECUTE FUNCTION yield();
		CREATE TRIGGER yield AFTER TRUNCATE ON {Q} FOR EACH STATEMENT EXECUTE FUNCTION yield();
		CREATE TRIGGER yield AFTER INSERT OR DELETE ON {A} FOR EACH STATEMENT EXECUTE FUNCTION yield()`))
}

func TestALoneStatementThatGaveWayIsRunAgain(t *testing.T) {
	check.Parallel(t)
	for _, code := range []string{"40001", "40P01"} {
		pool := check.OwnDatabase(t)
		q := check.OwnQueue[int](t, pool, "q")
		yielding(t, pool, "q", code, "false")

		check.Send(t, q, 1)
		check.SendBatch(t, q, []int{2, 3})
		_, err := q.SendMessages(t.Context(), queue.Outgoing[int]{Body: 4}, queue.Outgoing[int]{Body: 5})
		check.OK(t, err)
		check.OK(t, q.SendAsync(t.Context(), 6, nil))
		check.OK(t, q.Flush(t.Context()))
		msgs := check.Read(t, q, 3)
		check.OK(t, q.SetVT(t.Context(), 1e9, msgs...))
		check.OK(t, q.Delete(t.Context(), msgs[0]))
		check.OK(t, q.Archive(t.Context(), msgs[1]))
		_, err = q.SetVTID(t.Context(), 0, 3)
		check.OK(t, err)
		_, err = q.DeleteID(t.Context(), 3)
		check.OK(t, err)
		_, err = q.ArchiveID(t.Context(), 4)
		check.OK(t, err)
		popped, err := q.Pop(t.Context(), 1)
		check.OK(t, err)
		check.Equal(t, "popped", popped[0].Body, 5)
		replayed, err := admin.Replay(t.Context(), pool, "q")
		check.OK(t, err)
		check.Equal(t, "replayed", replayed, 2)
		purged, err := admin.Purge(t.Context(), pool, "q")
		check.OK(t, err)
		check.Equal(t, "purged", purged, 3)
	}
}

func TestAStatementThatAlwaysGivesWayFailsInTheEnd(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	q := check.OwnQueue[int](t, pool, "q")
	yielding(t, pool, "q", "40001", "true")
	_, err := q.Send(t.Context(), 1)
	check.SQLState(t, err, "40001")
	if n := check.Value[int](t, pool, `SELECT last_value::int FROM tries`); n < 2 || n > 20 {
		t.Fatalf("it was tried %d times", n)
	}
}

// What else is in the transaction, only its owner can repeat.
func TestInATransactionNothingIsRunAgain(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	q := check.OwnQueue[int](t, pool, "q")
	yielding(t, pool, "q", "40001", "true")
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := q.WithTx(tx).Send(t.Context(), 1)
		return err
	})
	check.SQLState(t, err, "40001")
	conn := check.Connection(t, pool)
	check.Exec(t, conn, `BEGIN`)
	_, err = q.WithTx(conn).Send(t.Context(), 1)
	check.SQLState(t, err, "40001")
	check.Equal(t, "tries", check.Value[int](t, pool, `SELECT last_value::int FROM tries`), 2)
}

func TestSerializableSendersCollideAndAllGetThrough(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	check.OK(t, admin.Create(t.Context(), pool, "q"))
	strict := check.PoolLike(t, pool, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
		c.MaxConns = 8
	})
	var together errgroup.Group
	for range 8 {
		q := check.Open[int](t, strict, "q") // each its own: they share no statement
		together.Go(func() error {
			for i := range 25 {
				if _, err := q.Send(t.Context(), i); err != nil {
					return err
				}
				msgs, err := q.Read(t.Context(), 1)
				if err != nil {
					return err
				}
				if err := q.Delete(t.Context(), msgs...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	check.OK(t, together.Wait())
}
