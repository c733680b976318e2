package api

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// yielding makes the server give way in the first statements that write to a queue. The
// sequence counts all, also those that were rolled back.
func yielding(t testing.TB, pool *pgxpool.Pool, name, code string, first int) {
	t.Helper()
	check.Exec(t, pool, `CREATE SEQUENCE tries`)
	check.Exec(t, pool, fmt.Sprintf(`CREATE FUNCTION yield() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('public.tries') <= %d THEN RAISE EXCEPTION 'it gives way' USING ERRCODE = '%s'; END IF;
		RETURN NULL;
	END $$`, first, code))
	check.Exec(t, pool, check.Tables(name, `
		CREATE TRIGGER yield AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {Q} FOR EACH STATEMENT EXECUTE FUNCTION yield();
		CREATE TRIGGER yield AFTER INSERT OR DELETE ON {A} FOR EACH STATEMENT EXECUTE FUNCTION yield()`))
}

func TestALoneStatementThatGaveWayIsRunAgain(t *testing.T) {
	check.Parallel(t)
	for _, code := range []string{"40001", "40P01"} {
		pool := check.OwnDatabase(t)
		q := check.OwnQueue[int](t, pool, "q")
		yielding(t, pool, "q", code, 3)
		var msgs []*queue.Message[int]
		for step, do := range []func() error{
			func() error { _, err := q.Send(t.Context(), 1); return err },
			func() error { _, err := q.SendBatch(t.Context(), []int{2, 3}); return err },
			func() error {
				_, err := q.SendMessages(t.Context(), queue.Outgoing[int]{Body: 4}, queue.Outgoing[int]{Body: 5})
				return err
			},
			func() error {
				return errors.Join(q.SendAsync(t.Context(), 6, nil), q.Flush(t.Context()))
			},
			func() (err error) { msgs, err = q.Read(t.Context(), 2); return err },
			func() error { return q.SetVT(t.Context(), time.Hour, msgs...) },
			func() error { return q.Delete(t.Context(), msgs[0]) },
			func() error { return q.Archive(t.Context(), msgs[1]) },
			func() error { _, err := q.SetVTID(t.Context(), 0, 3); return err },
			func() error { _, err := q.DeleteID(t.Context(), 3); return err },
			func() error { _, err := q.ArchiveID(t.Context(), 4); return err },
			func() error { _, err := q.Pop(t.Context(), 1); return err },
			func() error { _, err := admin.Replay(t.Context(), pool, "q"); return err },
			func() error { _, err := admin.Purge(t.Context(), pool, "q"); return err },
		} {
			check.Exec(t, pool, `ALTER SEQUENCE tries RESTART`)
			if err := do(); err != nil {
				t.Errorf("step %d: %v", step, err)
			}
			if n := check.Value[int](t, pool, `SELECT last_value::int FROM tries`); n < 4 {
				t.Errorf("step %d wrote %d times", step, n)
			}
		}
		check.Equal(t, "messages left", check.Remains(t, pool, "q"), 0)
	}
}

func TestAStatementThatAlwaysGivesWayFailsInTheEnd(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	q := check.OwnQueue[int](t, pool, "q")
	yielding(t, pool, "q", "40001", 1000)
	_, err := q.Send(t.Context(), 1)
	check.SQLState(t, err, "40001")
	if n := check.Value[int](t, pool, `SELECT last_value::int FROM tries`); n < 2 || n > 20 {
		t.Fatalf("it was tried %d times", n)
	}
}

// Only the owner of a transaction can repeat its other statements.
func TestInATransactionNothingIsRunAgain(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	q := check.OwnQueue[int](t, pool, "q")
	yielding(t, pool, "q", "40001", 1000)
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
