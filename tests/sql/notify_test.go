package sql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// hour is an interval that does not pass while a test runs.
const hour = 3600 * 1000

// listen begins to listen, by the queue's name as it was made.
func listen(t testing.TB, name string) check.InsertListener {
	t.Helper()
	return check.ListenTo(t, pgtest.Pool(), name)
}

// notifying makes a queue with notifications.
func notifying(t testing.TB, milliseconds int) string {
	t.Helper()
	name := pgtest.Queue[int](t).Name()
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.enable_notify_insert($1, $2)`, name, milliseconds)
	return name
}

func sendSQL(t testing.TB, db check.Querier, name string) {
	t.Helper()
	check.Exec(t, db, `SELECT pgmq.send($1, '1')`, name)
}

// readSQL reads up to n messages and returns how many there were.
func readSQL(t testing.TB, db check.Querier, name string, n int) int {
	t.Helper()
	return check.Value[int](t, db, `SELECT count(*)::int FROM pgmq.read($1, 3600, $2)`, name, n)
}

func TestNotifyRefusesInPGMQsWords(t *testing.T) {
	check.Parallel(t)
	plain := pgtest.Queue[int](t).Name()
	for call, want := range map[string]string{
		fmt.Sprintf(`enable_notify_insert('%s', -1)`, plain): `P0001 throttle_interval_ms must be non-negative`,
		fmt.Sprintf(`update_notify_insert('%s', -1)`, plain): `P0001 throttle_interval_ms must be non-negative, got: -1`,
		`enable_notify_insert('no such')`:                    `P0001 Queue "no such" does not exist. Create it first using pgmq.create()`,
		`update_notify_insert('no such', 1)`:                 `P0001 Queue "no such" does not exist. Create the queue first using pgmq.create()`,
		fmt.Sprintf(`update_notify_insert('%s', 1)`, plain):  `P0001 Queue "` + plain + `" does not have notify_insert enabled. Enable it first using pgmq.enable_notify_insert()`,
	} {
		_, err := pgtest.Pool().Exec(t.Context(), "SELECT pgmq."+call)
		pg := check.As[*pgconn.PgError](t, err)
		check.Equal(t, call, pg.Code+" "+pg.Message, want)
	}
	name := notifying(t, 250)
	for _, call := range []string{`enable_notify_insert($1, NULL)`, `update_notify_insert($1, NULL)`} {
		_, err := pgtest.Pool().Exec(t.Context(), "SELECT pgmq."+call, name)
		check.SQLState(t, err, "23502")
	}
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.disable_notify_insert('no such'), pgmq.disable_notify_insert($1)`, plain)
}

func TestNotifyIsListedUpdatedAndEnded(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), pgtest.Queue[int](t).Name()
	row := func() string {
		return strings.Join(check.Values[string](t, pool, `
			SELECT throttle_interval_ms || CASE WHEN last_notified_at > now() - interval '1 minute' THEN ' now' ELSE ' never' END
			FROM pgmq.list_notify_insert_throttles() WHERE queue_name = $1`, name), " and ")
	}
	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1)`, name)
	l := listen(t, name)
	check.Equal(t, "the row", row(), "250 never")
	sendSQL(t, pool, name)
	check.Equal(t, "the row after a message", row(), "250 now")
	check.Exec(t, pool, `SELECT pgmq.update_notify_insert($1, $2)`, strings.ToUpper(name), hour)
	check.Equal(t, "the row when it was updated", row(), "3600000 never")
	check.Equal(t, "notifications of one message", l.Heard(t), 1)

	for range 3 {
		sendSQL(t, pool, name)
	}
	check.Equal(t, "notifications after the update", l.Heard(t), 1)
	check.Exec(t, pool, `SELECT pgmq.disable_notify_insert($1)`, strings.ToUpper(name))
	sendSQL(t, pool, name)
	check.Equal(t, "notifications after the end", l.Heard(t), 0)
	check.Equal(t, "the row after the end", row(), "")
	check.Equal(t, "what is left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_class WHERE oid = to_regclass('pgmq.' || pgmq._notifier_name($1))`, name), 0)

	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1, 0)`, name)
	before := l.Heard(t)
	sendSQL(t, pool, name)
	sendSQL(t, pool, name)
	check.Equal(t, "notifications without an interval", l.Heard(t)-before, 2)
	check.Equal(t, "the row without an interval", row(), "0 now")
}

func TestWithinTheIntervalOneNotificationIsEnough(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, hour)
	l := listen(t, name)
	for range 20 {
		sendSQL(t, pgtest.Pool(), name)
	}
	check.Equal(t, "notifications", l.Heard(t), 1)

	check.Exec(t, pgtest.Pool(), `UPDATE pgmq.notify_insert_throttle SET last_notified_at = last_notified_at - interval '1 hour' WHERE queue_name = $1`, name)
	sendSQL(t, pgtest.Pool(), name)
	sendSQL(t, pgtest.Pool(), name)
	check.Equal(t, "notifications after the interval", l.Heard(t), 1)
}

func TestABatchIsOneNotificationAndOneDecision(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, 0)
	l, conn := listen(t, name), check.Connection(t, pgtest.Pool())
	check.Exec(t, conn, `SET track_functions = 'all'`)
	check.Exec(t, conn, `SELECT pgmq.send_batch($1, array_fill('1'::jsonb, '{1000}'))`, name)
	check.Equal(t, "notifications", l.Heard(t), 1)
	tx, err := conn.Begin(t.Context())
	check.OK(t, err)
	decisions := func() int {
		return check.Value[int](t, tx, `SELECT coalesce(pg_stat_get_xact_function_calls('pgmq.notify_queue_listeners()'::regprocedure), 0)::int`)
	}
	before := decisions()
	check.Exec(t, tx, `SELECT pgmq.send_batch($1, array_fill('1'::jsonb, '{1000}'))`, name)
	check.Exec(t, tx, `SET CONSTRAINTS ALL IMMEDIATE`)
	check.Equal(t, "decisions", decisions()-before, 1)
	check.OK(t, tx.Rollback(t.Context()))
	check.Equal(t, "notifications of a rollback", l.Heard(t), 0)
}

func TestASavepointThatIsRolledBackDoesNotSwallowTheNotification(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, 0)
	l := listen(t, name)
	check.Exec(t, pgtest.Pool(), strings.ReplaceAll(`BEGIN; SAVEPOINT s; SELECT pgmq.send('@', '1'); ROLLBACK TO s; COMMIT`, "@", name))
	check.Equal(t, "notifications of nothing", l.Heard(t), 0)
	check.Exec(t, pgtest.Pool(), strings.ReplaceAll(`BEGIN; SAVEPOINT s; SELECT pgmq.send('@', '1'); ROLLBACK TO s; SELECT pgmq.send('@', '2'); COMMIT`, "@", name))
	check.Equal(t, "notifications", l.Heard(t), 1)
}

func TestTheChannelKeepsTheCapitalsOfTheQueue(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for _, name := range []string{
		"MyQueue of " + pgtest.Name(), `Ünï-"co.de"` + pgtest.Name(), pgtest.Name() + strings.Repeat("N", 47)[:47-len(pgtest.Name())-1],
		// Longer than an identifier with its prefix and suffix.
		pgtest.Name() + strings.Repeat("ü", 23),
	} {
		check.Exec(t, pool, `SELECT pgmq.create($1)`, name)
		l, other := listen(t, name), strings.ToLower(name)
		check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1, $2)`, other, hour)
		check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1, $2)`, name, hour)
		check.Same(t, "queues", check.Values[string](t, pool, `SELECT queue_name FROM pgmq.list_notify_insert_throttles() WHERE lower(queue_name) = lower($1)`, name), []string{name})
		sendSQL(t, pool, other)
		check.Equal(t, "notifications of "+name, l.Heard(t), 1)
		check.Equal(t, "messages", readSQL(t, pool, other, 5), 1)
		sendSQL(t, pool, name)
		check.Equal(t, "notifications to a reader in other letters", l.Heard(t), 1)
		check.Exec(t, pool, `SELECT pgmq.disable_notify_insert($1)`, other)
		sendSQL(t, pool, name)
		check.Equal(t, "notifications after the end", l.Heard(t), 0)
		check.Exec(t, pool, `SELECT pgmq.drop_queue($1)`, other)
		check.Equal(t, "sequences left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_class WHERE relname = pgmq._notifier_name($1)`, name), 0)
	}
}

func TestNotificationsAreResumedWhenTheThrottleTableIsEmpty(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, hour)
	l := listen(t, name)
	sendSQL(t, pgtest.Pool(), name)
	check.Exec(t, pgtest.Pool(), `DELETE FROM pgmq.notify_insert_throttle WHERE queue_name = $1`, name)
	sendSQL(t, pgtest.Pool(), name)
	sendSQL(t, pgtest.Pool(), name)
	check.Equal(t, "notifications", l.Heard(t), 3)
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.enable_notify_insert($1, $2)`, name, hour)
	sendSQL(t, pgtest.Pool(), name)
	sendSQL(t, pgtest.Pool(), name)
	check.Equal(t, "notifications when it is enabled again", l.Heard(t), 1)
	check.Equal(t, "persistence", check.Value[string](t, pgtest.Pool(), `SELECT relpersistence::text FROM pg_class WHERE oid = 'pgmq.notify_insert_throttle'::regclass`), "p")
}

func TestEnablingTwiceDoesNotLockTheQueue(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, 250)
	sender, err := check.Connection(t, pgtest.Pool()).Begin(t.Context())
	check.OK(t, err)
	sendSQL(t, sender, name)
	conn := check.Connection(t, pgtest.Pool())
	check.Exec(t, conn, `SET lock_timeout = '5s'`)
	check.Exec(t, conn, `SELECT pgmq.enable_notify_insert($1, 500)`, name)
	check.Exec(t, conn, `SELECT pgmq.update_notify_insert($1, 500)`, name)
	check.OK(t, sender.Commit(t.Context()))
}

func TestQueueCanBeEmptiedAndDroppedInTheTransactionOfASend(t *testing.T) {
	check.Parallel(t)
	name, other := notifying(t, hour), notifying(t, hour)
	l := listen(t, other)
	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	sendSQL(t, tx, name)
	sendSQL(t, tx, other)
	check.Equal(t, "purged", check.Value[int](t, tx, `SELECT pgmq.purge_queue($1)::int`, name), 1)
	sendSQL(t, tx, name)
	check.Exec(t, tx, `SELECT pgmq.disable_notify_insert($1)`, name)
	check.Exec(t, tx, `SELECT pgmq.enable_notify_insert($1)`, name)
	sendSQL(t, tx, name)
	check.Equal(t, "dropped", check.Value[bool](t, tx, `SELECT pgmq.drop_queue($1)`, name), true)
	check.OK(t, tx.Commit(t.Context()))
	check.Equal(t, "notifications of another queue", l.Heard(t), 1)
}

func TestADelayedMessageNotifiesWhenItIsSent(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, 0)
	l := listen(t, name)
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.send($1, '1', now() + interval '1 hour')`, name)
	check.Equal(t, "notifications", l.Heard(t), 1)
	check.Equal(t, "the time until it can be read", check.Value[bool](t, pgtest.Pool(), check.Tables(name, `SELECT min(vt) - now() > $1 FROM {Q}`), 50*time.Minute), true)
}
