package tests

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// hour is an interval that does not pass while a test runs.
const hour = 3600 * 1000

// listener is a connection that listens to a queue.
type listener struct {
	*pgx.Conn
	pool  *pgxpool.Pool
	fence string
}

// listen begins to listen, by the queue's name as it was made.
func listen(t testing.TB, name string) listener {
	t.Helper()
	return listenIn(t, pgtest.Pool(), name)
}

func listenIn(t testing.TB, pool *pgxpool.Pool, name string) listener {
	t.Helper()
	l := listener{connection(t, pool), pool, "fence of " + pgtest.Name()}
	exec(t, l, "LISTEN "+pgx.Identifier{"pgmq.q_" + name + ".INSERT"}.Sanitize())
	exec(t, l, "LISTEN "+pgx.Identifier{l.fence}.Sanitize())
	return l
}

// heard counts the announcements since it was last called. What was committed
// before it is called arrives before the fence.
func (l listener) heard(t testing.TB) int {
	t.Helper()
	exec(t, l.pool, "SELECT pg_notify($1, '')", l.fence)
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		notification, err := l.WaitForNotification(ctx)
		cancel()
		ok(t, err)
		if notification.Channel == l.fence {
			return n
		}
		equal(t, "the payload", notification.Payload, "")
	}
}

func connection(t testing.TB, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), pool.Config().ConnConfig)
	ok(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// announced makes a queue with announcements.
func announced(t testing.TB, milliseconds int) string {
	t.Helper()
	name := pgtest.Queue[int](t).Name()
	exec(t, pgtest.Pool(), `SELECT pgmq.enable_notify_insert($1, $2)`, name, milliseconds)
	return name
}

func sendSQL(t testing.TB, db querier, name string) {
	t.Helper()
	exec(t, db, `SELECT pgmq.send($1, '1')`, name)
}

// readSQL reads up to n messages and returns how many there were.
func readSQL(t testing.TB, db querier, name string, n int) int {
	t.Helper()
	return value[int](t, db, `SELECT count(*)::int FROM pgmq.read($1, 3600, $2)`, name, n)
}

func TestNotifyRefusesInPGMQsWords(t *testing.T) {
	t.Parallel()
	plain := pgtest.Queue[int](t).Name()
	for call, want := range map[string]string{
		fmt.Sprintf(`enable_notify_insert('%s', -1)`, plain): `P0001 throttle_interval_ms must be non-negative`,
		fmt.Sprintf(`update_notify_insert('%s', -1)`, plain): `P0001 throttle_interval_ms must be non-negative, got: -1`,
		`enable_notify_insert('no such')`:                    `P0001 Queue "no such" does not exist. Create it first using pgmq.create()`,
		`update_notify_insert('no such', 1)`:                 `P0001 Queue "no such" does not exist. Create the queue first using pgmq.create()`,
		fmt.Sprintf(`update_notify_insert('%s', 1)`, plain):  `P0001 Queue "` + plain + `" does not have notify_insert enabled. Enable it first using pgmq.enable_notify_insert()`,
	} {
		_, err := pgtest.Pool().Exec(t.Context(), "SELECT pgmq."+call)
		pg := as[*pgconn.PgError](t, err)
		equal(t, call, pg.Code+" "+pg.Message, want)
	}
	name := announced(t, 250)
	for _, call := range []string{`enable_notify_insert($1, NULL)`, `update_notify_insert($1, NULL)`} {
		_, err := pgtest.Pool().Exec(t.Context(), "SELECT pgmq."+call, name)
		sqlState(t, err, "23502")
	}
	exec(t, pgtest.Pool(), `SELECT pgmq.disable_notify_insert('no such'), pgmq.disable_notify_insert($1)`, plain)
}

func TestNotifyIsListedUpdatedAndEnded(t *testing.T) {
	t.Parallel()
	pool, name := pgtest.Pool(), pgtest.Queue[int](t).Name()
	row := func() string {
		return strings.Join(values[string](t, pool, `
			SELECT throttle_interval_ms || CASE WHEN last_notified_at > now() - interval '1 minute' THEN ' now' ELSE ' never' END
			FROM pgmq.list_notify_insert_throttles() WHERE queue_name = $1`, name), " and ")
	}
	exec(t, pool, `SELECT pgmq.enable_notify_insert($1)`, name)
	l := listen(t, name)
	equal(t, "the row", row(), "250 never")
	sendSQL(t, pool, name)
	equal(t, "the row after a message", row(), "250 now")
	exec(t, pool, `SELECT pgmq.update_notify_insert($1, $2)`, strings.ToUpper(name), hour)
	equal(t, "the row when it was updated", row(), "3600000 never")
	equal(t, "announcements of one message", l.heard(t), 1)

	for range 3 {
		sendSQL(t, pool, name)
	}
	equal(t, "announcements after the update", l.heard(t), 1)
	exec(t, pool, `SELECT pgmq.disable_notify_insert($1)`, strings.ToUpper(name))
	sendSQL(t, pool, name)
	equal(t, "announcements after the end", l.heard(t), 0)
	equal(t, "the row after the end", row(), "")
	equal(t, "what is left", value[int](t, pool, `SELECT count(*)::int FROM pg_class WHERE oid = to_regclass('pgmq.' || pgmq._notifier_name($1))`, name), 0)

	exec(t, pool, `SELECT pgmq.enable_notify_insert($1, 0)`, name)
	before := l.heard(t)
	sendSQL(t, pool, name)
	sendSQL(t, pool, name)
	equal(t, "announcements without an interval", l.heard(t)-before, 2)
	equal(t, "the row without an interval", row(), "0 now")
}

func TestWithinTheIntervalOneAnnouncementIsEnough(t *testing.T) {
	t.Parallel()
	name := announced(t, hour)
	l := listen(t, name)
	for range 20 {
		sendSQL(t, pgtest.Pool(), name)
	}
	equal(t, "announcements", l.heard(t), 1)

	exec(t, pgtest.Pool(), `UPDATE pgmq.notify_insert_throttle SET last_notified_at = last_notified_at - interval '1 hour' WHERE queue_name = $1`, name)
	sendSQL(t, pgtest.Pool(), name)
	sendSQL(t, pgtest.Pool(), name)
	equal(t, "announcements after the interval", l.heard(t), 1)
}

func TestABatchIsOneAnnouncementAndOneDecision(t *testing.T) {
	t.Parallel()
	name := announced(t, 0)
	l, conn := listen(t, name), connection(t, pgtest.Pool())
	exec(t, conn, `SET track_functions = 'all'`)
	exec(t, conn, `SELECT pgmq.send_batch($1, array_fill('1'::jsonb, '{1000}'))`, name)
	equal(t, "announcements", l.heard(t), 1)
	tx, err := conn.Begin(t.Context())
	ok(t, err)
	decisions := func() int {
		return value[int](t, tx, `SELECT coalesce(pg_stat_get_xact_function_calls('pgmq.notify_queue_listeners()'::regprocedure), 0)::int`)
	}
	before := decisions()
	exec(t, tx, `SELECT pgmq.send_batch($1, array_fill('1'::jsonb, '{1000}'))`, name)
	exec(t, tx, `SET CONSTRAINTS ALL IMMEDIATE`)
	equal(t, "decisions", decisions()-before, 1)
	ok(t, tx.Rollback(t.Context()))
	equal(t, "announcements of a rollback", l.heard(t), 0)
}

func TestASavepointThatIsRolledBackDoesNotSwallowTheAnnouncement(t *testing.T) {
	t.Parallel()
	name := announced(t, 0)
	l := listen(t, name)
	exec(t, pgtest.Pool(), strings.ReplaceAll(`BEGIN; SAVEPOINT s; SELECT pgmq.send('@', '1'); ROLLBACK TO s; COMMIT`, "@", name))
	equal(t, "announcements of nothing", l.heard(t), 0)
	exec(t, pgtest.Pool(), strings.ReplaceAll(`BEGIN; SAVEPOINT s; SELECT pgmq.send('@', '1'); ROLLBACK TO s; SELECT pgmq.send('@', '2'); COMMIT`, "@", name))
	equal(t, "announcements", l.heard(t), 1)
}

func TestTheChannelKeepsTheCapitalsOfTheQueue(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool()
	for _, name := range []string{
		"MyQueue of " + pgtest.Name(), `Ünï-"co.de"` + pgtest.Name(), pgtest.Name() + strings.Repeat("N", 47)[:47-len(pgtest.Name())-1],
		// Longer than an identifier with its prefix and suffix.
		pgtest.Name() + strings.Repeat("ü", 23),
	} {
		exec(t, pool, `SELECT pgmq.create($1)`, name)
		l, other := listen(t, name), strings.ToLower(name)
		exec(t, pool, `SELECT pgmq.enable_notify_insert($1, $2)`, other, hour)
		exec(t, pool, `SELECT pgmq.enable_notify_insert($1, $2)`, name, hour)
		same(t, "queues", values[string](t, pool, `SELECT queue_name FROM pgmq.list_notify_insert_throttles() WHERE lower(queue_name) = lower($1)`, name), []string{name})
		sendSQL(t, pool, other)
		equal(t, "announcements of "+name, l.heard(t), 1)
		equal(t, "messages", readSQL(t, pool, other, 5), 1)
		sendSQL(t, pool, name)
		equal(t, "announcements to a reader in other letters", l.heard(t), 1)
		exec(t, pool, `SELECT pgmq.disable_notify_insert($1)`, other)
		sendSQL(t, pool, name)
		equal(t, "announcements after the end", l.heard(t), 0)
		exec(t, pool, `SELECT pgmq.drop_queue($1)`, other)
		equal(t, "sequences left", value[int](t, pool, `SELECT count(*)::int FROM pg_class WHERE relname = pgmq._notifier_name($1)`, name), 0)
	}
}

func TestAnnouncementsAreResumedWhenTheThrottleTableIsEmpty(t *testing.T) {
	t.Parallel()
	name := announced(t, hour)
	l := listen(t, name)
	sendSQL(t, pgtest.Pool(), name)
	exec(t, pgtest.Pool(), `DELETE FROM pgmq.notify_insert_throttle WHERE queue_name = $1`, name)
	sendSQL(t, pgtest.Pool(), name)
	sendSQL(t, pgtest.Pool(), name)
	equal(t, "announcements", l.heard(t), 3)
	exec(t, pgtest.Pool(), `SELECT pgmq.enable_notify_insert($1, $2)`, name, hour)
	sendSQL(t, pgtest.Pool(), name)
	sendSQL(t, pgtest.Pool(), name)
	equal(t, "announcements when it is enabled again", l.heard(t), 1)
	equal(t, "persistence", value[string](t, pgtest.Pool(), `SELECT relpersistence::text FROM pg_class WHERE oid = 'pgmq.notify_insert_throttle'::regclass`), "p")
}

func TestEnablingTwiceDoesNotLockTheQueue(t *testing.T) {
	t.Parallel()
	name := announced(t, 250)
	sender, err := connection(t, pgtest.Pool()).Begin(t.Context())
	ok(t, err)
	sendSQL(t, sender, name)
	conn := connection(t, pgtest.Pool())
	exec(t, conn, `SET lock_timeout = '5s'`)
	exec(t, conn, `SELECT pgmq.enable_notify_insert($1, 500)`, name)
	exec(t, conn, `SELECT pgmq.update_notify_insert($1, 500)`, name)
	ok(t, sender.Commit(t.Context()))
}

func TestQueueCanBeEmptiedAndDroppedInTheTransactionOfASend(t *testing.T) {
	t.Parallel()
	name, other := announced(t, hour), announced(t, hour)
	l := listen(t, other)
	tx, err := pgtest.Pool().Begin(t.Context())
	ok(t, err)
	sendSQL(t, tx, name)
	sendSQL(t, tx, other)
	equal(t, "purged", value[int](t, tx, `SELECT pgmq.purge_queue($1)::int`, name), 1)
	sendSQL(t, tx, name)
	exec(t, tx, `SELECT pgmq.disable_notify_insert($1)`, name)
	exec(t, tx, `SELECT pgmq.enable_notify_insert($1)`, name)
	sendSQL(t, tx, name)
	equal(t, "dropped", value[bool](t, tx, `SELECT pgmq.drop_queue($1)`, name), true)
	ok(t, tx.Commit(t.Context()))
	equal(t, "announcements of another queue", l.heard(t), 1)
}

func TestDelayedMessageIsAnnouncedWhenItIsSent(t *testing.T) {
	t.Parallel()
	name := announced(t, 0)
	l := listen(t, name)
	exec(t, pgtest.Pool(), `SELECT pgmq.send($1, '1', now() + interval '1 hour')`, name)
	equal(t, "announcements", l.heard(t), 1)
	equal(t, "the time until it can be read", value[bool](t, pgtest.Pool(), tables(name, `SELECT min(vt) - now() > $1 FROM {Q}`), 50*time.Minute), true)
}
