package api

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

var badNames = []string{
	"", "a;b", "x'y", "$1", "a--b", "a\x00b", "\xff", strings.Repeat("n", 48), strings.Repeat("ü", 31),
}

func TestEveryGoodNameWorksEverywhere(t *testing.T) {
	check.Long(t)
	pool := check.OwnDatabase(t)
	for _, name := range check.GoodNames {
		check.OK(t, admin.Create(t.Context(), pool, name))
		check.OK(t, admin.Create(t.Context(), pool, name)) // again is nothing
	}
	check.Equal(t, "queues", len(check.QueueNames(t, pool)), len(check.GoodNames))
	for _, name := range check.GoodNames {
		q := check.Open[check.Order](t, pool, name)
		check.Life(t, pool, q)
		check.Equal(t, "messages anywhere", total(t, pool), 0)
		check.OK(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			check.Life(t, tx, q.WithTx(tx))
			return nil
		}))
	}
	for _, name := range check.GoodNames {
		check.OK(t, admin.Drop(t.Context(), pool, name))
	}
	check.Equal(t, "tables left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_tables WHERE tablename ~ '^[qa]_'`), 0)
}

// total counts the messages of all queues: each sees its own rows only.
func total(t testing.TB, pool *pgxpool.Pool) int64 {
	t.Helper()
	var n int64
	for _, name := range check.QueueNames(t, pool) {
		stats, err := admin.Stats(t.Context(), pool, name)
		check.OK(t, err)
		n += stats.Length
	}
	return n
}

func TestEveryBadNameIsRefusedEverywhere(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), pgtest.Pool()
	for _, name := range badNames {
		_, err := queue.New[check.Order](pool, name)
		check.Is(t, err, queue.ErrInvalidName)
		check.Is(t, admin.Create(ctx, pool, name), queue.ErrInvalidName)
		check.Is(t, admin.Drop(ctx, pool, name), queue.ErrInvalidName)
		_, err = admin.Purge(ctx, pool, name)
		check.Is(t, err, queue.ErrInvalidName)
		_, err = admin.Stats(ctx, pool, name)
		check.Is(t, err, queue.ErrInvalidName)
	}
}

func TestCapitalsDoNotCount(t *testing.T) {
	check.Long(t)
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	check.OK(t, admin.Create(t.Context(), pool, "MyQueue"))
	check.OK(t, admin.Create(t.Context(), pool, "myqueue"))
	check.Same(t, "queues", check.QueueNames(t, pool), []string{"MyQueue"})
	check.Send(t, check.Open[check.Order](t, pool, "MYQUEUE"), check.Order{ID: 1})
	check.Equal(t, "one queue", check.ReadOne(t, check.Open[check.Order](t, pool, "MyQueue")).Body.ID, 1)
	check.OK(t, admin.Drop(t.Context(), pool, "myQueue"))
	check.Equal(t, "queues left", len(check.QueueNames(t, pool)), 0)
}

func TestEverythingWorksInEveryExecMode(t *testing.T) {
	check.Parallel(t)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			pool := check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
			name := `Mode "Ü" ` + mode.String()
			check.OK(t, admin.Create(t.Context(), pool, name, admin.Unlogged))
			check.Life(t, pool, check.Open[check.Order](t, pool, name))
			check.OK(t, admin.Drop(t.Context(), pool, name))
		})
	}
}
