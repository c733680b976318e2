package tests

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

func producer(t testing.TB, name string, more ...string) *pgxpool.Pool {
	t.Helper()
	return role(t, "producer", append(more,
		"GRANT USAGE ON SCHEMA pgmq",
		tables(name, "GRANT INSERT, SELECT (msg_id) ON {Q}"))...)
}

func consumer(t testing.TB, name string) *pgxpool.Pool {
	t.Helper()
	return role(t, "consumer",
		"GRANT USAGE ON SCHEMA pgmq",
		tables(name, "GRANT SELECT, UPDATE (vt, read_ct, last_read_at), DELETE ON {Q}"))
}

func TestAProducerWithTheLeastGrantsAnnouncesEveryTransaction(t *testing.T) {
	t.Parallel()
	name := announced(t, hour)
	l, pool := listen(t, name), producer(t, name)
	for range 3 {
		sendSQL(t, pool, name)
	}
	equal(t, "announcements", l.heard(t), 3)
	_, err := pool.Exec(t.Context(), `SELECT pgmq.enable_notify_insert($1)`, pgtest.Queue[int](t).Name())
	forbidden(t, "enable", err)
	_, err = pool.Exec(t.Context(), `SELECT pgmq.disable_notify_insert($1)`, name)
	forbidden(t, "disable", err)
	_, err = pool.Exec(t.Context(), `SELECT * FROM pgmq.list_notify_insert_throttles()`)
	forbidden(t, "list", err)
}

func TestAProducerThatMayKnowTheThrottleKeepsQuiet(t *testing.T) {
	t.Parallel()
	name := announced(t, hour)
	l, pool := listen(t, name), producer(t, name,
		"GRANT SELECT, UPDATE (last_notified_at) ON pgmq.notify_insert_throttle")
	for range 3 {
		sendSQL(t, pool, name)
	}
	equal(t, "announcements", l.heard(t), 1)
}

func TestAConsumerWithTheLeastGrantsHearsOfTheNextMessage(t *testing.T) {
	t.Parallel()
	name := announced(t, hour)
	l, pool := listen(t, name), consumer(t, name)
	sendSQL(t, pgtest.Pool(), name)
	equal(t, "messages", readSQL(t, pool, name, 2), 1)
	sendSQL(t, pgtest.Pool(), name)
	equal(t, "announcements", l.heard(t), 2)
	exec(t, pool, `SELECT pgmq.pop($1, 2)`, name)
	sendSQL(t, pgtest.Pool(), name)
	equal(t, "announcements", l.heard(t), 1)

	// Without any right to the sequence a read is still a read.
	exec(t, pgtest.Pool(), fmt.Sprintf(`REVOKE ALL ON SEQUENCE %s FROM PUBLIC`,
		value[string](t, pgtest.Pool(), `SELECT 'pgmq.' || pgmq._notifier_name($1)`, name)))
	equal(t, "messages", readSQL(t, pool, name, 2), 1)
	sender := producer(t, name)
	sendSQL(t, sender, name)
	sendSQL(t, sender, name)
	equal(t, "announcements", l.heard(t), 2)
}

func TestAnOwnerWhoIsNoSuperuserEnablesAndEnds(t *testing.T) {
	t.Parallel()
	name, pool := pgtest.Name(), pgtest.Pool()
	owner := role(t, "owner",
		"GRANT USAGE, CREATE ON SCHEMA pgmq",
		"GRANT SELECT ON pgmq.template_queue, pgmq.template_archive, pgmq.topic_bindings",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON pgmq.meta, pgmq.notify_insert_throttle")
	exec(t, owner, `SELECT pgmq.create($1)`, name)
	t.Cleanup(func() { _, _ = pool.Exec(context.Background(), `SELECT pgmq.drop_queue($1)`, name) })
	l := listen(t, name)
	exec(t, owner, `SELECT pgmq.enable_notify_insert($1)`, name)
	sendSQL(t, owner, name)
	equal(t, "announcements", l.heard(t), 1)
	exec(t, owner, `SELECT pgmq.disable_notify_insert($1)`, name)

	// A superuser may do it for the owner, who then drops the queue.
	exec(t, pool, `SELECT pgmq.enable_notify_insert($1)`, name)
	sendSQL(t, owner, name)
	equal(t, "announcements", l.heard(t), 1)
	exec(t, owner, `SELECT pgmq.drop_queue($1)`, name)
}
