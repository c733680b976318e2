package sql

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func producer(t testing.TB, name string, more ...string) *pgxpool.Pool {
	t.Helper()
	return check.Role(t, "producer", append(more,
		"GRANT USAGE ON SCHEMA pgmq",
		check.Tables(name, "GRANT INSERT, SELECT (msg_id) ON {Q}"))...)
}

func consumer(t testing.TB, name string) *pgxpool.Pool {
	t.Helper()
	return check.Role(t, "consumer",
		"GRANT USAGE ON SCHEMA pgmq",
		check.Tables(name, "GRANT SELECT, UPDATE (vt, read_ct, last_read_at), DELETE ON {Q}"))
}

func TestAProducerWithTheLeastGrantsNotifiesForEveryTransaction(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, hour)
	l, pool := listen(t, name), producer(t, name)
	for range 3 {
		sendSQL(t, pool, name)
	}
	check.Equal(t, "notifications", l.Heard(t), 3)
	_, err := pool.Exec(t.Context(), `SELECT pgmq.enable_notify_insert($1)`, pgtest.Queue[int](t).Name())
	check.Forbidden(t, "enable", err)
	_, err = pool.Exec(t.Context(), `SELECT pgmq.disable_notify_insert($1)`, name)
	check.Forbidden(t, "disable", err)
	_, err = pool.Exec(t.Context(), `SELECT * FROM pgmq.list_notify_insert_throttles()`)
	check.Forbidden(t, "list", err)
}

func TestAProducerThatMayKnowTheThrottleKeepsQuiet(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, hour)
	l, pool := listen(t, name), producer(t, name,
		"GRANT SELECT, UPDATE (last_notified_at) ON pgmq.notify_insert_throttle")
	for range 3 {
		sendSQL(t, pool, name)
	}
	check.Equal(t, "notifications", l.Heard(t), 1)
}

func TestAConsumerWithTheLeastGrantsHearsOfTheNextMessage(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, hour)
	l, pool := listen(t, name), consumer(t, name)
	sendSQL(t, pgtest.Pool(), name)
	check.Equal(t, "messages", readSQL(t, pool, name, 2), 1)
	sendSQL(t, pgtest.Pool(), name)
	check.Equal(t, "notifications", l.Heard(t), 2)
	check.Exec(t, pool, `SELECT pgmq.pop($1, 2)`, name)
	sendSQL(t, pgtest.Pool(), name)
	check.Equal(t, "notifications", l.Heard(t), 1)

	// Without any right to the sequence a read is still a read.
	check.Exec(t, pgtest.Pool(), fmt.Sprintf(`REVOKE ALL ON SEQUENCE %s FROM PUBLIC`,
		check.Value[string](t, pgtest.Pool(), `SELECT 'pgmq.' || pgmq._notifier_name($1)`, name)))
	check.Equal(t, "messages", readSQL(t, pool, name, 2), 1)
	sender := producer(t, name)
	sendSQL(t, sender, name)
	sendSQL(t, sender, name)
	check.Equal(t, "notifications", l.Heard(t), 2)
}

func TestAnOwnerWhoIsNoSuperuserEnablesAndEnds(t *testing.T) {
	check.Parallel(t)
	name, pool := pgtest.Name(), pgtest.Pool()
	owner := check.Role(t, "owner",
		"GRANT USAGE, CREATE ON SCHEMA pgmq",
		"GRANT SELECT ON pgmq.template_queue, pgmq.template_archive, pgmq.topic_bindings",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON pgmq.meta, pgmq.notify_insert_throttle")
	check.Exec(t, owner, `SELECT pgmq.create($1)`, name)
	t.Cleanup(func() { _, _ = pool.Exec(context.Background(), `SELECT pgmq.drop_queue($1)`, name) })
	l := listen(t, name)
	check.Exec(t, owner, `SELECT pgmq.enable_notify_insert($1)`, name)
	sendSQL(t, owner, name)
	check.Equal(t, "notifications", l.Heard(t), 1)
	check.Exec(t, owner, `SELECT pgmq.disable_notify_insert($1)`, name)

	// A superuser may do it for the owner, who then drops the queue.
	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1)`, name)
	sendSQL(t, owner, name)
	check.Equal(t, "notifications", l.Heard(t), 1)
	check.Exec(t, owner, `SELECT pgmq.drop_queue($1)`, name)
}
