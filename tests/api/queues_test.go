package api

import (
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestOneNameMayBeCreatedBy16AtOnce(t *testing.T) {
	check.Parallel(t)
	name := pgtest.Queue[int](t).Name() // dropped at the end, and once before
	check.OK(t, admin.Drop(t.Context(), pgtest.Pool(), name))
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = admin.Create(t.Context(), pgtest.Pool(), name) })
	}
	wg.Wait()
	for _, err := range errs {
		check.OK(t, err)
	}
	check.Equal(t, "the number of rows in meta", check.Value[int](t, pgtest.Pool(), "SELECT count(*)::int FROM pgmq.meta WHERE queue_name = $1", name), 1)
	check.Send(t, check.Open[int](t, pgtest.Pool(), name), 1)
}

func TestUnloggedQueuesHaveALoggedArchive(t *testing.T) {
	check.Parallel(t)
	const persistence = "SELECT relpersistence::text FROM pg_class WHERE oid = $1::regclass"
	for storage, want := range map[admin.Storage]string{admin.Logged: "p", admin.Unlogged: "u"} {
		name := pgtest.Queue[int](t, storage).Name()
		check.Equal(t, "the queue's persistence", check.Value[string](t, pgtest.Pool(), persistence, check.Tables(name, "{Q}")), want)
		check.Equal(t, "the archive's persistence", check.Value[string](t, pgtest.Pool(), persistence, check.Tables(name, "{A}")), "p")
	}
	for _, bad := range []admin.Storage{-1, 2} {
		check.Is(t, admin.Create(t.Context(), pgtest.Pool(), pgtest.Name(), bad), queue.ErrInvalidOption)
	}
	check.Is(t, admin.Create(t.Context(), pgtest.Pool(), pgtest.Name(), nil), queue.ErrInvalidOption)
}

func TestListReturnsEveryQueueByName(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	infos, err := admin.List(t.Context(), pool)
	check.OK(t, err)
	check.Equal(t, "the number of queues", len(infos), 0)
	before := check.ServerTime(t)
	check.OK(t, admin.Create(t.Context(), pool, "b"))
	check.OK(t, admin.Create(t.Context(), pool, "a", admin.Unlogged))
	infos, err = admin.List(t.Context(), pool)
	check.OK(t, err)
	check.Equal(t, "the number of queues", len(infos), 2)
	for i, want := range []admin.Info{{Name: "a", Storage: admin.Unlogged}, {Name: "b"}} {
		got := infos[i]
		if got.CreatedAt.Before(before) || got.CreatedAt.After(check.ServerTime(t)) {
			t.Errorf("%s was created at %v", got.Name, got.CreatedAt)
		}
		got.CreatedAt = time.Time{}
		check.Equal(t, "the info", got, want)
	}
}

func TestStatsCountAndDateWhatIsThere(t *testing.T) {
	check.Parallel(t)
	ctx, q := t.Context(), pgtest.Queue[int](t)
	before := check.ServerTime(t)
	stats, err := admin.Stats(ctx, pgtest.Pool(), q.Name())
	check.OK(t, err)
	if stats.At.Before(before) || stats.At.After(check.ServerTime(t)) {
		t.Errorf("counted at %v", stats.At)
	}
	stats.At = time.Time{}
	check.Equal(t, "the stats of an empty queue", stats, admin.QueueStats{})

	check.SendBatch(t, q, make([]int, 3))
	check.Send(t, q, 1, queue.Delay(time.Hour))
	msgs := check.Read(t, q, 1)
	stats, err = admin.Stats(ctx, pgtest.Pool(), q.Name())
	check.OK(t, err)
	check.Equal(t, "Length", stats.Length, 4)
	check.Equal(t, "Visible", stats.Visible, 2)
	if !stats.Oldest.Equal(msgs[0].EnqueuedAt) || !stats.Newest.After(stats.Oldest) || stats.Newest.After(stats.At) {
		t.Errorf("oldest %v, newest %v, counted at %v", stats.Oldest, stats.Newest, stats.At)
	}
}

func TestMissingQueueIsErrNoQueueEverywhere(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), pgtest.Pool()
	other := pgtest.Queue[int](t)
	check.Send(t, other, 1)
	m := check.ReadOne(t, other)
	for _, name := range []string{"no_such_queue", "pgmq.meta", `a"b`, "No Such"} {
		q := check.Open[int](t, pool, name)
		_, sendErr := q.Send(ctx, 1)
		_, batchErr := q.SendBatch(ctx, []int{1})
		_, readErr := q.Read(ctx, 1)
		_, popErr := q.Pop(ctx, 1)
		_, deleteErr := q.DeleteID(ctx, 1)
		_, archiveErr := q.ArchiveID(ctx, 1)
		_, vtErr := q.SetVTID(ctx, 0, 1)
		_, purgeErr := admin.Purge(ctx, pool, name)
		_, statsErr := admin.Stats(ctx, pool, name)
		for _, err := range []error{
			sendErr, batchErr, readErr, popErr, deleteErr, archiveErr, vtErr, purgeErr, statsErr,
			q.Delete(ctx, m), q.Archive(ctx, m), q.SetVT(ctx, 0, m), admin.Drop(ctx, pool, name),
		} {
			check.Is(t, err, queue.ErrNoQueue)
		}
	}
}

func TestDatabaseThatWasNotMigratedIsErrNoSchema(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), pgtest.Database(t)
	_, listErr := admin.List(ctx, pool)
	_, purgeErr := admin.Purge(ctx, pool, "q")
	for _, err := range []error{
		admin.Create(ctx, pool, "q"), admin.Create(ctx, pool, "q", admin.Unlogged), admin.Drop(ctx, pool, "q"), listErr, purgeErr,
	} {
		check.Is(t, err, queue.ErrNoSchema)
	}
}

func TestSavepointSurvivesAFailedStatement(t *testing.T) {
	check.Parallel(t)
	ctx, q := t.Context(), pgtest.Queue[any](t)
	check.OK(t, pgx.BeginFunc(ctx, pgtest.Pool(), func(tx pgx.Tx) error {
		check.Send(t, q.WithTx(tx), any("before"))
		// Names refused here never reached the transaction.
		_, err := q.WithTx(tx).Send(ctx, "\x00")
		check.As[*queue.EncodeError](t, err)
		err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
			_, err := check.Open[int](t, savepoint, "no_such_queue").Read(ctx, 1)
			check.Is(t, err, queue.ErrNoQueue)
			_, err = q.WithTx(savepoint).Send(ctx, "too late")
			check.SQLState(t, err, "25P02")
			return err
		})
		check.SQLState(t, err, "25P02")
		check.Send(t, q.WithTx(tx), any("after"))
		check.Equal(t, "what the transaction reads of its own", len(check.Read(t, q.WithTx(tx), 5)), 2)
		return nil
	}))
	check.Equal(t, "the length", check.Length(t, q), 2)
}
