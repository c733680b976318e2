package tests

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
)

// waiter listens for one queue, as a consumer does.
type waiter struct {
	*pgx.Conn
	bound db.DBTX
	table string
	fence string
}

// waiterOf listens, and has not said yet that it waits.
func waiterOf(t testing.TB, name string) waiter {
	t.Helper()
	w := waiter{Conn: connection(t, pgtest.Pool()), fence: "fence of " + pgtest.Name()}
	w.bound = tab.New(name).Bind(w.Conn)
	found, err := db.New().Find(t.Context(), w.bound)
	ok(t, err)
	w.table = found.Name
	exec(t, w, `LISTEN "pgmq.wake"`)
	exec(t, w, "LISTEN "+pgx.Identifier{w.fence}.Sanitize())
	return w
}

// waitsFor is waiterOf, and it waits.
func waitsFor(t testing.TB, name string) waiter {
	t.Helper()
	w := waiterOf(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ok(t, db.New().Await(ctx, w.bound, w.table)) // not at once where a sender left its lock
	return w
}

// heard counts the notifications since it was last called.
func (w waiter) heard(t testing.TB) int {
	t.Helper()
	exec(t, pgtest.Pool(), "SELECT pg_notify($1, '')", w.fence)
	for n := 0; ; {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		notification, err := w.WaitForNotification(ctx)
		cancel()
		ok(t, err)
		switch {
		case notification.Channel == w.fence:
			return n
		case notification.Payload == w.table: // the channel is everybody's
			n++
		}
	}
}

// advisory counts the advisory locks that a session holds.
func advisory(t testing.TB, conn querier) int {
	t.Helper()
	return value[int](t, conn, `SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`)
}

// wakes are the statements that send or give back, with the notifications that
// one who waits gets of each.
var wakes = []struct {
	what  string
	run   func(ctx context.Context, q *queue.Queue[int], on querier) error
	wakes int
}{
	{"Send", func(ctx context.Context, q *queue.Queue[int], _ querier) error {
		_, err := q.Send(ctx, 1)
		return err
	}, 1},
	{"Send with a delay", func(ctx context.Context, q *queue.Queue[int], _ querier) error {
		_, err := q.Send(ctx, 1, queue.Delay(time.Hour))
		return err
	}, 1},
	{"SendBatch of 1000", func(ctx context.Context, q *queue.Queue[int], _ querier) error {
		_, err := q.SendBatch(ctx, make([]int, 1000))
		return err
	}, 1},
	{"Announce", func(ctx context.Context, q *queue.Queue[int], on querier) error {
		return db.New().Announce(ctx, tab.New(q.Name()).Bind(on))
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
func calling(text string) func(context.Context, *queue.Queue[int], querier) error {
	return func(ctx context.Context, q *queue.Queue[int], on querier) error {
		_, err := on.Exec(ctx, text, q.Name())
		return err
	}
}

func TestASendWakesWhoeverWaits(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		name := `Wake "` + pgtest.Name()
		pgtest.Named[int](t, name)
		exec(t, pgtest.Pool(), `INSERT INTO pgmq.topic_bindings (pattern, queue_name) VALUES (md5($1), $1)`, name)
		config := pgtest.Pool().Config().ConnConfig.Copy()
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(t.Context(), config)
		ok(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		q, w := open[int](t, conn, name), waiterOf(t, name)

		for _, waiting := range []bool{false, true, false} {
			for _, call := range wakes {
				if err := call.run(t.Context(), q, conn); err != nil {
					t.Fatalf("%s: %v", call.what, err)
				}
				want := 0
				if waiting {
					want = call.wakes
				}
				if got := w.heard(t); got != want {
					t.Errorf("%v, %s: %d notifications, not %d (somebody waits: %v)", mode, call.what, got, want, waiting)
				}
				equal(t, "locks left behind by "+call.what, advisory(t, conn), 0)
			}
			if waiting {
				ok(t, db.New().Unawait(t.Context(), w.bound, w.table))
			} else {
				ok(t, db.New().Await(t.Context(), w.bound, w.table))
			}
		}
	}
}

func TestARetryIsAnnounced(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	began, fail := make(chan struct{}), make(chan struct{})
	c := consume(t, q, func(context.Context, *queue.Message[int]) error {
		close(began)
		<-fail
		return queue.RetryIn(time.Hour, errWork)
	})
	send(t, q, 1)
	<-began
	w := waitsFor(t, q.Name())
	close(fail)
	eventually(t, "it will be tried again", func() bool { return len(c.of(queue.Retried)) == 1 })
	equal(t, "notifications", w.heard(t), 1) // who waits must know when it is due
}

func TestAWakeUpComesWithTheCommit(t *testing.T) {
	t.Parallel()
	for _, call := range wakes {
		name := pgtest.Queue[int](t).Name()
		exec(t, pgtest.Pool(), `INSERT INTO pgmq.topic_bindings (pattern, queue_name) VALUES (md5($1), $1)`, name)
		send(t, open[int](t, pgtest.Pool(), name), 1)
		w := waitsFor(t, name)
		for _, commit := range []bool{false, true} {
			tx, err := pgtest.Pool().Begin(t.Context())
			ok(t, err)
			t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
			ok(t, call.run(t.Context(), open[int](t, tx, name), tx))
			equal(t, "notifications before the commit of "+call.what, w.heard(t), 0)
			equal(t, "locks that silence others after "+call.what, advisory(t, tx), 0)
			want := 0
			if commit {
				ok(t, tx.Commit(t.Context()))
				want = call.wakes
			} else {
				ok(t, tx.Rollback(t.Context()))
			}
			equal(t, "notifications after "+call.what, w.heard(t), want)
		}
	}
}

// barred makes senders wait in a trigger of a queue, until it is opened. The
// trigger is what CREATE needs before EXECUTE.
func barred(t testing.TB, name, trigger string) (unbar func()) {
	t.Helper()
	pool := pgtest.Pool()
	replace := strings.NewReplacer("@", name, "#", trigger)
	exec(t, pool, tables(name, replace.Replace(`
		CREATE FUNCTION public."gate @"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
			PERFORM pg_advisory_xact_lock_shared(hashtext(''gate @'')); RETURN NEW;
		END';
		CREATE # EXECUTE FUNCTION public."gate @"()`)))
	t.Cleanup(func() {
		_, _ = pool.Exec(context.Background(), replace.Replace(tables(name, `DROP TRIGGER gate ON {Q}; DROP FUNCTION public."gate @"()`)))
	})
	keeper := connection(t, pool)
	exec(t, keeper, `SELECT pg_advisory_lock(hashtext('gate ' || $1))`, name)
	return func() { _ = keeper.Close(context.Background()) }
}

// atGate waits until a sender stands at the gate.
func atGate(t testing.TB, name string) {
	t.Helper()
	eventually(t, "a sender is at the gate", func() bool {
		return value[bool](t, pgtest.Pool(), `SELECT EXISTS (
			SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
				AND objid::bigint = hashtext('gate ' || $1)::bit(32)::bigint)`, name)
	})
}

// Who begins to wait looks at the transactions that have an id by then. Those
// that get theirs later must see that it waits.
func TestASenderAsksWhoWaitsWhenItsMessageIsIn(t *testing.T) {
	t.Parallel()
	for _, call := range wakes[:6] {
		if call.what == "Announce" {
			continue
		}
		t.Run(call.what, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[int](t)
			w, unbar := waiterOf(t, q.Name()), barred(t, q.Name(), "TRIGGER gate BEFORE INSERT ON {Q} FOR EACH ROW")
			done := make(chan error, 1)
			// Not on the pool, where those who wait could use it up.
			sender := connection(t, pgtest.Pool())
			go func() { done <- call.run(t.Context(), open[int](t, sender, q.Name()), sender) }()
			atGate(t, q.Name())
			ok(t, db.New().Await(t.Context(), w.bound, w.table))
			unbar()
			ok(t, <-done)
			equal(t, "notifications", w.heard(t), 1)
		})
	}
}

func TestOneOfManySendersAnnouncesAndNoneWaitsForIt(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	w := waitsFor(t, q.Name())
	unbar := barred(t, q.Name(), `CONSTRAINT TRIGGER gate AFTER INSERT ON {Q}
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.message = '1')`)
	slow, done := open[int](t, connection(t, pgtest.Pool()), q.Name()), make(chan error, 1)
	go func() {
		_, err := slow.Send(t.Context(), 1)
		done <- err
	}()
	atGate(t, q.Name()) // at its commit
	send(t, q, 2)
	sendBatch(t, q, []int{3, 4})
	equal(t, "notifications while one is about to announce", w.heard(t), 0)
	unbar()
	ok(t, <-done)
	equal(t, "notifications", w.heard(t), 1)
	send(t, q, 5)
	equal(t, "notifications afterwards", w.heard(t), 1)
}

func TestASendInAnOpenTransactionSilencesNobody(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool()
	for what, begin := range map[string]func(t *testing.T, conn *pgx.Conn) (queue.DB, func()){
		"a transaction": func(t *testing.T, conn *pgx.Conn) (queue.DB, func()) {
			tx, err := conn.Begin(t.Context())
			ok(t, err)
			return tx, func() { ok(t, tx.Commit(t.Context())) }
		},
		"a connection": func(t *testing.T, conn *pgx.Conn) (queue.DB, func()) {
			exec(t, conn, `BEGIN`)
			return conn, func() { exec(t, conn, `COMMIT`) }
		},
		"a wrapped connection": func(t *testing.T, conn *pgx.Conn) (queue.DB, func()) {
			exec(t, conn, `BEGIN`)
			return struct{ queue.DB }{conn}, func() { exec(t, conn, `COMMIT`) }
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[int](t)
			w := waitsFor(t, q.Name())
			on, commit := begin(t, connection(t, pool))
			send(t, open[int](t, on, q.Name()), 1)
			sendBatch(t, open[int](t, on, q.Name()), []int{1})
			exec(t, on, `SELECT pgmq.send($1, '1')`, q.Name())
			for range 2 {
				send(t, q, 2)
				equal(t, "notifications of others", w.heard(t), 1)
			}
			commit()
			equal(t, "notifications at the commit", w.heard(t), 1)
		})
	}
}

// It commits at once, so it announces as one of many.
func TestASendOnAPoolOrAnIdleConnectionIsATransactionOfItsOwn(t *testing.T) {
	t.Parallel()
	acquired, err := pgtest.Pool().Acquire(t.Context())
	ok(t, err)
	defer acquired.Release()
	for what, on := range map[string]db.DBTX{
		"a pool": pgtest.Pool(), "its connection": acquired, "a connection": connection(t, pgtest.Pool()),
	} {
		equal(t, what+" is alone", tab.Alone(tab.New("orders").Bind(on)), true)
	}
	equal(t, "what is unknown is alone", tab.Alone(struct{ db.DBTX }{pgtest.Pool()}), false)
}
