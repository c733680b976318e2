package tests

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

const insufficientPrivilege = "42501"

// role makes a role with the README's grants for a queue, and a pool that works
// under it.
func role(t testing.TB, name string, grants ...string) *pgxpool.Pool {
	t.Helper()
	return roleOn(t, pgtest.Pool(), name, grants...)
}

// roleOn is role for another database.
func roleOn(t testing.TB, pool *pgxpool.Pool, name string, grants ...string) *pgxpool.Pool {
	t.Helper()
	id := fmt.Sprintf("%s_%d", name, time.Now().UnixNano())
	exec(t, pool, "CREATE ROLE "+id)
	t.Cleanup(func() {
		_, _ = pool.Exec(context.Background(), "DROP OWNED BY "+id+"; DROP ROLE "+id)
	})
	for _, grant := range grants {
		exec(t, pool, grant+" TO "+id)
	}
	return poolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["role"] = id })
}

func forbidden(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("the role may %s", what)
	}
	sqlState(t, err, insufficientPrivilege)
}

func TestAProducerMayOnlySend(t *testing.T) {
	t.Parallel()
	ctx, owner := t.Context(), pgtest.Queue[Order](t)
	id := send(t, owner, Order{ID: 1})
	pool := role(t, "producer",
		"GRANT USAGE ON SCHEMA pgmq",
		tables(owner.Name(), "GRANT INSERT, SELECT (msg_id) ON {Q}"))
	q := open[Order](t, pool, owner.Name())

	send(t, q, Order{ID: 2})
	sendBatch(t, q, []Order{{ID: 3}, {ID: 4}}, queue.Headers{"a": 1}, queue.Delay(time.Second))

	_, err := q.Read(ctx, 1)
	forbidden(t, "read", err)
	_, err = q.Pop(ctx)
	forbidden(t, "pop", err)
	_, err = q.DeleteID(ctx, id)
	forbidden(t, "delete", err)
	_, err = q.ArchiveID(ctx, id)
	forbidden(t, "archive", err)
	_, err = q.SetVTID(ctx, 0, id)
	forbidden(t, "set vt", err)
	mayNotManage(t, pool, owner.Name())
	equal(t, "messages", length(t, owner), 4)
}

func TestAConsumerMayReadAndSettleOnly(t *testing.T) {
	t.Parallel()
	ctx, owner := t.Context(), pgtest.Queue[Order](t)
	sendBatch(t, owner, make([]Order, 5))
	pool := role(t, "consumer",
		"GRANT USAGE ON SCHEMA pgmq",
		tables(owner.Name(), "GRANT SELECT, UPDATE (vt, read_ct, last_read_at), DELETE ON {Q}"),
		tables(owner.Name(), "GRANT INSERT, SELECT (msg_id) ON {A}"))
	q := open[Order](t, pool, owner.Name())

	msgs := read(t, q, 4)
	ok(t, q.SetVT(ctx, time.Hour, msgs...))
	ok(t, q.Delete(ctx, msgs[0]))
	ok(t, q.Archive(ctx, msgs[1]))
	_, err := q.ArchiveID(ctx, msgs[2].ID)
	ok(t, err)
	_, err = q.Pop(ctx)
	ok(t, err)

	_, err = q.Send(ctx, Order{})
	forbidden(t, "send", err)
	_, err = pool.Exec(ctx, tables(q.Name(), `UPDATE {Q} SET message = NULL`))
	forbidden(t, "change a body", err)
	_, err = pool.Exec(ctx, tables(q.Name(), `SELECT message FROM {A}`))
	forbidden(t, "read the archive", err)
	mayNotManage(t, pool, owner.Name())
}

func mayNotManage(t testing.TB, pool *pgxpool.Pool, name string) {
	t.Helper()
	ctx := t.Context()
	_, err := queue.Purge(ctx, pool, name)
	forbidden(t, "purge", err)
	forbidden(t, "drop", queue.Drop(ctx, pool, name))
	forbidden(t, "create", queue.Create(ctx, pool, pgtest.Name()))
	_, err = queue.List(ctx, pool)
	forbidden(t, "list", err)
	_, err = pool.Exec(ctx, `INSERT INTO pgmq.meta VALUES ('x', false, false)`)
	forbidden(t, "write the catalogue", err)
}

func TestStrangersSeeNothing(t *testing.T) {
	t.Parallel()
	owner := pgtest.Queue[Order](t)
	q := open[Order](t, role(t, "stranger"), owner.Name())
	_, err := q.Send(t.Context(), Order{})
	forbidden(t, "send", err)
	_, err = q.Read(t.Context(), 1)
	forbidden(t, "read", err)
}
