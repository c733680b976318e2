package consume

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// advisory counts the advisory locks that a session holds.
func advisory(t testing.TB, conn check.Querier) int {
	t.Helper()
	return check.Value[int](t, conn, `SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`)
}

// wakes are the statements that send or give back, with the notifications that
// a waiting consumer gets of each.
var wakes = []struct {
	what  string
	run   func(ctx context.Context, q *queue.Queue[int], on check.Querier) error
	wakes int
}{
	{"Send", func(ctx context.Context, q *queue.Queue[int], _ check.Querier) error {
		_, err := q.Send(ctx, 1)
		return err
	}, 1},
	{"Send with a delay", func(ctx context.Context, q *queue.Queue[int], _ check.Querier) error {
		_, err := q.Send(ctx, 1, queue.Delay(time.Hour))
		return err
	}, 1},
	{"SendBatch of 1000", func(ctx context.Context, q *queue.Queue[int], _ check.Querier) error {
		_, err := q.SendBatch(ctx, make([]int, 1000))
		return err
	}, 1},
	{"Announce", func(ctx context.Context, q *queue.Queue[int], on check.Querier) error {
		return db.New().Notify(ctx, tab.New(q.Name()).Bind(on))
	}, 1},
	{"send", calling(`SELECT pgmq.send($1, '1')`), 1},
	{"send_batch", calling(`SELECT pgmq.send_batch($1, array_fill('1'::jsonb, '{1000}'))`), 1},
	{"send_topic", calling(`SELECT pgmq.send_topic(md5($1), '1')`), 1},
	{"send_batch_topic", calling(`SELECT pgmq.send_batch_topic(md5($1), '{1,2,3}')`), 1},
	{"set_vt to now", calling(`SELECT pgmq.set_vt($1, 1::bigint, 0)`), 1},
	{"set_vt to later", calling(`SELECT pgmq.set_vt($1, 1::bigint, 60)`), 0},
	{"set_vt of nothing", calling(`SELECT pgmq.set_vt($1, '{}'::bigint[], 0)`), 0},
	{"read", calling(`SELECT pgmq.read($1, 0, 1)`), 0},
}

// calling is a statement about a queue.
func calling(text string) func(context.Context, *queue.Queue[int], check.Querier) error {
	return func(ctx context.Context, q *queue.Queue[int], on check.Querier) error {
		_, err := on.Exec(ctx, text, q.Name())
		return err
	}
}

func TestASendWakesWhoeverWaits(t *testing.T) {
	check.Parallel(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		name := `Wake "` + pgtest.Name()
		pgtest.Named[int](t, name)
		check.Exec(t, pgtest.Pool(), `INSERT INTO pgmq.topic_bindings (pattern, queue_name) VALUES (md5($1), $1)`, name)
		config := pgtest.Pool().Config().ConnConfig.Copy()
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(t.Context(), config)
		check.OK(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		q, w := check.Open[int](t, conn, name), check.WaiterOf(t, name)

		for _, waiting := range []bool{false, true, false} {
			for _, call := range wakes {
				if err := call.run(t.Context(), q, conn); err != nil {
					t.Fatalf("%s: %v", call.what, err)
				}
				want := 0
				if waiting {
					want = call.wakes
				}
				if got := w.Heard(t); got != want {
					t.Errorf("%v, %s: %d notifications, not %d (somebody waits: %v)", mode, call.what, got, want, waiting)
				}
				check.Equal(t, "locks left behind by "+call.what, advisory(t, conn), 0)
			}
			if waiting {
				check.OK(t, db.New().Unsubscribe(t.Context(), w.Bound, w.Table))
			} else {
				check.OK(t, db.New().Subscribe(t.Context(), w.Bound, w.Table))
			}
		}
	}
}

func TestARetryNotifies(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	began, fail := make(chan struct{}), make(chan struct{})
	c := check.Consume(t, q, func(context.Context, *queue.Message[int]) error {
		close(began)
		check.Hold(fail)
		return queue.RetryIn(time.Hour, check.ErrWork)
	})
	check.Send(t, q, 1)
	check.Receive(t, began)
	w := check.WaitsFor(t, q.Name())
	close(fail)
	check.Eventually(t, "it will be tried again", func() bool { return len(c.Of(queue.EventRetried)) == 1 })
	check.Equal(t, "notifications", w.Heard(t), 1) // a waiting consumer must know when it is due
}

func TestAWakeUpComesWithTheCommit(t *testing.T) {
	check.Parallel(t)
	for _, call := range wakes {
		name := pgtest.Queue[int](t).Name()
		check.Exec(t, pgtest.Pool(), `INSERT INTO pgmq.topic_bindings (pattern, queue_name) VALUES (md5($1), $1)`, name)
		check.Send(t, check.Open[int](t, pgtest.Pool(), name), 1)
		w := check.WaitsFor(t, name)
		for _, commit := range []bool{false, true} {
			tx, err := pgtest.Pool().Begin(t.Context())
			check.OK(t, err)
			t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
			check.OK(t, call.run(t.Context(), check.Open[int](t, tx, name), tx))
			check.Equal(t, "notifications before the commit of "+call.what, w.Heard(t), 0)
			check.Equal(t, "locks that silence others after "+call.what, advisory(t, tx), 0)
			want := 0
			if commit {
				check.OK(t, tx.Commit(t.Context()))
				want = call.wakes
			} else {
				check.OK(t, tx.Rollback(t.Context()))
			}
			check.Equal(t, "notifications after "+call.what, w.Heard(t), want)
		}
	}
}

// barred makes senders wait in a trigger of a queue, until it is opened. The
// argument trigger is the text between CREATE and EXECUTE.
func barred(t testing.TB, name, trigger string) (unbar func()) {
	t.Helper()
	pool := pgtest.Pool()
	replace := strings.NewReplacer("@", name, "#", trigger)
	check.Exec(t, pool, check.Tables(name, replace.Replace(`
		CREATE FUNCTION public."gate @"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
			PERFORM pg_advisory_xact_lock_shared(hashtext(''gate @'')); RETURN NEW;
		END';
		CREATE # EXECUTE FUNCTION public."gate @"()`)))
	t.Cleanup(func() {
		_, _ = pool.Exec(context.Background(), replace.Replace(check.Tables(name, `DROP TRIGGER gate ON {Q}; DROP FUNCTION public."gate @"()`)))
	})
	keeper := check.Connection(t, pool)
	check.Exec(t, keeper, `SELECT pg_advisory_lock(hashtext('gate ' || $1))`, name)
	return func() { _ = keeper.Close(context.Background()) }
}

// atGate waits until a sender stands at the gate.
func atGate(t testing.TB, name string) {
	t.Helper()
	check.Eventually(t, "a sender is at the gate", func() bool {
		return check.Value[bool](t, pgtest.Pool(), `SELECT EXISTS (
			SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
				AND objid::bigint = hashtext('gate ' || $1)::bit(32)::bigint)`, name)
	})
}

// A consumer that begins to wait looks at the transactions that have an id by then.
// Transactions that get theirs later must see that it waits.
func TestASenderAsksWhoWaitsWhenItsMessageIsIn(t *testing.T) {
	check.Parallel(t)
	for _, call := range wakes[:6] {
		if call.what == "Announce" {
			continue
		}
		t.Run(call.what, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[int](t)
			w, unbar := check.WaiterOf(t, q.Name()), barred(t, q.Name(), "TRIGGER gate BEFORE INSERT ON {Q} FOR EACH ROW")
			done := make(chan error, 1)
			// Not on the pool, because the waiting senders could take all its connections.
			sender := check.Connection(t, pgtest.Pool())
			go func() { done <- call.run(t.Context(), check.Open[int](t, sender, q.Name()), sender) }()
			atGate(t, q.Name())
			check.OK(t, db.New().Subscribe(t.Context(), w.Bound, w.Table))
			unbar()
			check.OK(t, check.Receive(t, done))
			check.Equal(t, "notifications", w.Heard(t), 1)
		})
	}
}

func TestOneOfManySendersNotifiesAndNoneWaitsForIt(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	w := check.WaitsFor(t, q.Name())
	unbar := barred(t, q.Name(), `CONSTRAINT TRIGGER gate AFTER INSERT ON {Q}
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.message = '1')`)
	slow, done := check.Open[int](t, check.Connection(t, pgtest.Pool()), q.Name()), make(chan error, 1)
	go func() {
		_, err := slow.Send(t.Context(), 1)
		done <- err
	}()
	atGate(t, q.Name()) // at its commit
	check.Send(t, q, 2)
	check.SendBatch(t, q, []int{3, 4})
	check.Equal(t, "notifications while one is about to notify", w.Heard(t), 0)
	unbar()
	check.OK(t, check.Receive(t, done))
	check.Equal(t, "notifications", w.Heard(t), 1)
	check.Send(t, q, 5)
	check.Equal(t, "notifications afterwards", w.Heard(t), 1)
}

func TestASendInAnOpenTransactionSilencesNobody(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for what, begin := range map[string]func(t *testing.T, conn *pgx.Conn) (queue.DB, func()){
		"a transaction": func(t *testing.T, conn *pgx.Conn) (queue.DB, func()) {
			tx, err := conn.Begin(t.Context())
			check.OK(t, err)
			return tx, func() { check.OK(t, tx.Commit(t.Context())) }
		},
		"a connection": func(t *testing.T, conn *pgx.Conn) (queue.DB, func()) {
			check.Exec(t, conn, `BEGIN`)
			return conn, func() { check.Exec(t, conn, `COMMIT`) }
		},
		"a wrapped connection": func(t *testing.T, conn *pgx.Conn) (queue.DB, func()) {
			check.Exec(t, conn, `BEGIN`)
			return struct{ *pgx.Conn }{conn}, func() { check.Exec(t, conn, `COMMIT`) }
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[int](t)
			w := check.WaitsFor(t, q.Name())
			on, commit := begin(t, check.Connection(t, pool))
			check.Send(t, check.Open[int](t, on, q.Name()), 1)
			check.SendBatch(t, check.Open[int](t, on, q.Name()), []int{1})
			check.Exec(t, on, `SELECT pgmq.send($1, '1')`, q.Name())
			for range 2 {
				check.Send(t, q, 2)
				check.Equal(t, "notifications of others", w.Heard(t), 1)
			}
			commit()
			check.Equal(t, "notifications at the commit", w.Heard(t), 1)
		})
	}
}

// It commits at once, so it notifies as one of many.
func TestASendOnAPoolOrAnIdleConnectionIsATransactionOfItsOwn(t *testing.T) {
	check.Parallel(t)
	acquired, err := pgtest.Pool().Acquire(t.Context())
	check.OK(t, err)
	defer acquired.Release()
	for what, on := range map[string]db.DBTX{
		"a pool": pgtest.Pool(), "its connection": acquired, "a connection": check.Connection(t, pgtest.Pool()),
	} {
		check.Equal(t, what+" is alone", tab.Alone(tab.New("orders").Bind(on)), true)
	}
	check.Equal(t, "what is unknown is alone", tab.Alone(struct{ db.DBTX }{pgtest.Pool()}), false)
}
