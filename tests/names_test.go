package tests

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

var goodNames = []string{
	`"`, "Ünï-Code.1", strings.Repeat("n", 47), "with space", "a.b", "new\nline", `back\slash`, "100%", "pgmq.template_queue",
	`q" (vt) VALUES (now())`, "İstanbul", strings.Repeat("ü", 30),
}

var badNames = []string{
	"", "a;b", "x'y", "$1", "a--b", "a\x00b", "\xff", strings.Repeat("n", 48), strings.Repeat("ü", 31),
}

// life takes a message through every method.
func life(t testing.TB, db queue.DB, q *queue.Queue[Order]) {
	t.Helper()
	ctx := t.Context()
	hello := Order{ID: 1, Customer: "O'Ne\"il\\ \u2028 {ünï}"}
	send(t, q, hello, queue.Headers{"a'\"b": []any{1, nil}})
	ids := sendBatch(t, q, []Order{hello, hello, hello, hello}, queue.At(time.Now().Add(-time.Hour)), queue.Headers{"x": "y"})
	msgs := read(t, q, 2, queue.VT(time.Hour))
	equal(t, "read", len(msgs), 2)
	equal(t, "body", msgs[1].Body, hello)
	equal(t, "headers", msgs[1].Headers["x"], any("y"))
	ok(t, q.SetVT(ctx, time.Minute, msgs...))
	ok(t, q.Delete(ctx, msgs[0]))
	ok(t, q.Archive(ctx, msgs[1]))
	is(t, q.Delete(ctx, msgs[0]), queue.ErrNotFound)
	m, err := q.Pop(ctx)
	ok(t, err)
	equal(t, "popped", m.Body, hello)
	for _, byID := range []func() ([]int64, error){
		func() ([]int64, error) { return q.SetVTID(ctx, time.Hour, ids[2]) },
		func() ([]int64, error) { return q.DeleteID(ctx, ids[2]) },
		func() ([]int64, error) { return q.ArchiveID(ctx, ids[3]) },
	} {
		existed, err := byID()
		ok(t, err)
		equal(t, "existed", len(existed), 1)
	}
	send(t, q, hello, queue.Delay(time.Hour))
	stats, err := queue.Stats(ctx, db, q.Name())
	ok(t, err)
	equal(t, "Length", stats.Length, 1)
	equal(t, "Visible", stats.Visible, 0)
	purged, err := queue.Purge(ctx, db, q.Name())
	ok(t, err)
	equal(t, "purged", purged, 1)
}

func TestEveryGoodNameWorksEverywhere(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	for _, name := range goodNames {
		ok(t, queue.Create(t.Context(), pool, name))
		ok(t, queue.Create(t.Context(), pool, name)) // again is nothing
	}
	equal(t, "queues", len(queueNames(t, pool)), len(goodNames))
	for _, name := range goodNames {
		q := open[Order](t, pool, name)
		life(t, pool, q)
		equal(t, "messages anywhere", total(t, pool), 0)
		ok(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			life(t, tx, q.WithTx(tx))
			return nil
		}))
	}
	for _, name := range goodNames {
		ok(t, queue.Drop(t.Context(), pool, name))
	}
	equal(t, "tables left", value[int](t, pool, `SELECT count(*)::int FROM pg_tables WHERE tablename ~ '^[qa]_'`), 0)
}

// total counts the messages of all queues: each sees its own rows only.
func total(t testing.TB, pool *pgxpool.Pool) int64 {
	t.Helper()
	var n int64
	for _, name := range queueNames(t, pool) {
		stats, err := queue.Stats(t.Context(), pool, name)
		ok(t, err)
		n += stats.Length
	}
	return n
}

func TestEveryBadNameIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), pgtest.Pool()
	for _, name := range badNames {
		_, err := queue.New[Order](pool, name)
		is(t, err, queue.ErrName)
		is(t, queue.Create(ctx, pool, name), queue.ErrName)
		is(t, queue.Drop(ctx, pool, name), queue.ErrName)
		_, err = queue.Purge(ctx, pool, name)
		is(t, err, queue.ErrName)
		_, err = queue.Stats(ctx, pool, name)
		is(t, err, queue.ErrName)
	}
}

func TestCapitalsDoNotCount(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	ok(t, queue.Create(t.Context(), pool, "MyQueue"))
	ok(t, queue.Create(t.Context(), pool, "myqueue"))
	same(t, "queues", queueNames(t, pool), []string{"MyQueue"})
	send(t, open[Order](t, pool, "MYQUEUE"), Order{ID: 1})
	equal(t, "one queue", readOne(t, open[Order](t, pool, "MyQueue")).Body.ID, 1)
	ok(t, queue.Drop(t.Context(), pool, "myQueue"))
	equal(t, "queues left", len(queueNames(t, pool)), 0)
}

func TestEverythingWorksInEveryExecMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
			name := `Mode "Ü" ` + mode.String()
			ok(t, queue.Create(t.Context(), pool, name, queue.Unlogged))
			life(t, pool, open[Order](t, pool, name))
			ok(t, queue.Drop(t.Context(), pool, name))
		})
	}
}
