package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// keyed is a queue with a unique index on the body, and a transaction that has sent
// keys and is open until release is called. The body "first" takes a while.
func keyed(t testing.TB, keys ...string) (q *queue.Queue[check.Order], release func()) {
	t.Helper()
	q = pgtest.Queue[check.Order](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `CREATE UNIQUE INDEX ON {Q} ((message->>'customer'))`))
	trigger(t, q.Name(), "{Q}", "INSERT", `IF NEW.message->>'customer' = 'first' THEN PERFORM pg_sleep(0.04); END IF; RETURN NEW;`)
	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	for _, key := range keys {
		check.Send(t, q.WithTx(tx), check.Order{Customer: key})
	}
	release = sync.OnceFunc(func() { _ = tx.Commit(context.Background()) })
	t.Cleanup(release)
	return q, release
}

func blocked(t testing.TB, q *queue.Queue[check.Order]) int {
	return check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM pg_stat_activity
		WHERE wait_event_type = 'Lock' AND position('"q_' || $1 || '"' IN query) > 0`, q.Name())
}

func TestASendThatWaitsForALockHoldsUpNoOther(t *testing.T) {
	check.Parallel(t)
	locked, release := keyed(t, "a", "b")
	q := check.Open[check.Order](t, check.NewPool(t, func(*pgxpool.Config) {}), locked.Name())
	waiting := []chan generics.Result[int64]{
		sending(t.Context(), q, check.Order{Customer: "a"}), sending(t.Context(), q, check.Order{Customer: "b"}),
	}
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 10 {
				if _, err := q.Send(check.Within(t), check.Order{Customer: fmt.Sprint(g, "-", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait() // while the transaction is open
	check.Eventually(t, "two wait", func() bool { return blocked(t, q) == 2 })
	release()
	for _, w := range waiting {
		check.SQLState(t, check.Receive(t, w).Err, "23505")
	}
	check.Equal(t, "messages", check.Length(t, q), 82)
}

// The same for those that share a statement with it.
func TestASendThatWaitsForALockHoldsUpNoneOfItsStatement(t *testing.T) {
	check.Parallel(t)
	locked, release := keyed(t, "a")
	q := check.Open[check.Order](t, check.NewPool(t, func(*pgxpool.Config) {}), locked.Name())
	first := sending(t.Context(), q, check.Order{Customer: "first"})
	all := []chan generics.Result[int64]{first} // those that follow gather behind it
	stuck := make(chan generics.Result[int64], 1)
	for i := range 40 {
		one, body := make(chan generics.Result[int64], 1), check.Order{Customer: fmt.Sprint(i)}
		if i == 20 {
			one, body = stuck, check.Order{Customer: "a"}
		} else {
			all = append(all, one)
		}
		go func() {
			id, err := q.Send(t.Context(), body)
			one <- generics.Result[int64]{Value: id, Err: err}
		}()
	}
	for _, one := range all {
		check.OK(t, check.Receive(t, one).Err)
	}
	check.Eventually(t, "one waits", func() bool { return blocked(t, q) == 1 })
	release()
	check.SQLState(t, check.Receive(t, stuck).Err, "23505")
}

// Two concurrent statements may deadlock; no send may fail by it.
func TestSendsThatShareStatementsDoNotFailByEachOthersLocks(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	// Each message takes two locks, in an order of its own, and keeps them a while.
	trigger(t, q.Name(), "{Q}", "INSERT", `
		PERFORM pg_advisory_xact_lock(hashtext(TG_TABLE_NAME), (NEW.message->>'order_id')::int % 2);
		PERFORM pg_sleep(0.02);
		RETURN NEW;`)
	var all sync.WaitGroup
	for g := range 12 {
		all.Go(func() {
			for i := range 5 {
				if _, err := q.Send(t.Context(), check.Order{ID: int64(g + i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	check.Equal(t, "messages", check.Length(t, q), 60)
}

// An error of any class is that of one message only, if it can be.
func TestAnErrorOfATriggerFailsItsMessageAlone(t *testing.T) {
	check.Parallel(t)
	for _, code := range []string{"UX001", "P0001", "XX000", "0A000", "55000", "40001", "57014", "55P03", "22023", "23514", "42501"} {
		q := pgtest.Queue[check.Order](t)
		trigger(t, q.Name(), "{Q}", "INSERT", `
			IF NEW.message->>'customer' = 'mallory' THEN RAISE EXCEPTION 'no' USING ERRCODE = '`+code+`'; END IF;
			RETURN NEW;`)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				body := check.Order{ID: int64(i)}
				if i%13 == 7 {
					body.Customer = "mallory"
				}
				if _, err := q.Send(t.Context(), body); (err == nil) != (body.Customer == "") {
					t.Errorf("%s: message %d: %v", code, i, err)
				}
			})
		}
		all.Wait()
		check.Equal(t, "messages", check.Length(t, q), 37)
	}
}

func TestASlowMessageHoldsUpNoOther(t *testing.T) {
	check.Parallel(t)
	slow := pgtest.Queue[check.Order](t)
	trigger(t, slow.Name(), "{Q}", "INSERT", `IF NEW.message->>'customer' = 'slow' THEN PERFORM pg_sleep(600); END IF; RETURN NEW;`)
	q := check.Open[check.Order](t, check.NewPool(t, func(*pgxpool.Config) {}), slow.Name())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	left := sending(ctx, q, check.Order{Customer: "slow"})
	for i := range 10 {
		check.Send(t, q, check.Order{ID: int64(i)})
	}
	cancel()
	check.Is(t, check.Receive(t, left).Err, queue.ErrOutcomeUnknown)
}

// A lock does not change the order of SendAsync.
func TestSendAsyncKeepsItsOrderWhileOneWaits(t *testing.T) {
	check.Parallel(t)
	locked, release := keyed(t, "5")
	q := check.Open[check.Order](t, check.NewPool(t, func(*pgxpool.Config) {}), locked.Name())
	for i := range 10 {
		check.OK(t, q.SendAsync(t.Context(), check.Order{ID: int64(i), Customer: fmt.Sprint(i)}, nil))
	}
	check.Eventually(t, "one waits", func() bool { return blocked(t, q) == 1 })
	time.Sleep(200 * time.Millisecond)
	release()
	check.SQLState(t, q.Flush(t.Context()), "23505")
	var ids []string
	for _, m := range check.Peek(t, q, 20) {
		if m.Body.ID > 0 || m.Body.Customer == "0" {
			ids = append(ids, m.Body.Customer)
		}
	}
	check.Equal(t, "the order", strings.Join(ids, ""), "012346789")
}

// A timeout of the session's own for locks stays as it is.
func TestSendsKeepTheSessionsLockTimeout(t *testing.T) {
	check.Parallel(t)
	locked, release := keyed(t, "a")
	defer release()
	pool := check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["lock_timeout"] = "300ms" })
	q := check.Open[check.Order](t, pool, locked.Name())
	_, err := q.Send(t.Context(), check.Order{Customer: "a"})
	check.SQLState(t, err, "55P03")
	check.OK(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := q.WithTx(tx).SendMessages(t.Context(), queue.Outgoing[check.Order]{Body: check.Order{Customer: "x"}})
		check.OK(t, err)
		check.Equal(t, "lock_timeout", check.Value[string](t, tx, `SHOW lock_timeout`), "300ms")
		return nil
	}))
}
