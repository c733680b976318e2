package admin

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestDropEmptyDropsOnlyAQueueThatHoldsNothing(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	drop := func(db queue.DB) error { return admin.DropEmpty(t.Context(), db, q.Name()) }
	check.Send(t, q, 1, queue.Delay(time.Hour))
	check.Equal(t, "of a hidden message", *check.As[*admin.NotEmptyError](t, drop(pgtest.Pool())), admin.NotEmptyError{Queued: 1})
	_, err := q.ArchiveID(t.Context(), 1)
	check.OK(t, err)
	check.Equal(t, "of an archived message", *check.As[*admin.NotEmptyError](t, drop(pgtest.Pool())), admin.NotEmptyError{Archived: 1})
	check.Equal(t, "the archive", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(*)::int FROM {A}`)), 1)
	_, err = admin.Prune(t.Context(), pgtest.Pool(), q.Name(), time.Now().Add(time.Hour))
	check.OK(t, err)

	err = pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		check.OK(t, drop(tx))
		return check.ErrWork
	})
	check.Is(t, err, check.ErrWork)
	check.Equal(t, "messages after a rollback", check.Length(t, q), 0)
	conn, err := pgtest.Pool().Acquire(t.Context())
	check.OK(t, err)
	defer conn.Release()
	check.OK(t, drop(conn))
	check.Is(t, drop(conn), queue.ErrNoQueue)
	check.Is(t, admin.DropEmpty(t.Context(), conn, "a;b"), queue.ErrInvalidName)
	check.Is(t, admin.DropEmpty(t.Context(), nil, "a"), queue.ErrInvalidOption)
}

func TestDropEmptyLosesNoMessageOfASenderAtTheSameTime(t *testing.T) {
	t.Parallel()
	for range 20 {
		q := pgtest.Queue[int](t)
		var group errgroup.Group
		var sent, dropped error
		group.Go(func() error { _, sent = q.Send(t.Context(), 1); return nil })
		group.Go(func() error { dropped = admin.DropEmpty(t.Context(), pgtest.Pool(), q.Name()); return nil })
		check.OK(t, group.Wait())
		if sent == nil && dropped == nil {
			t.Fatal("a message was sent to a queue that was dropped as empty")
		}
	}
}

func TestStorageIsOneOfTwo(t *testing.T) {
	t.Parallel()
	name := pgtest.Name()
	check.Is(t, admin.Create(t.Context(), pgtest.Pool(), name, admin.Logged, admin.Unlogged), queue.ErrInvalidOption)
	check.Is(t, admin.Create(t.Context(), pgtest.Pool(), name, nil), queue.ErrInvalidOption)
	check.Equal(t, "names", admin.Logged.String()+" "+admin.Unlogged.String(), "logged unlogged")
}

func TestNowIsTheServersClock(t *testing.T) {
	t.Parallel()
	before := check.ServerTime(t)
	now, err := admin.Now(t.Context(), pgtest.Pool())
	check.OK(t, err)
	if after := check.ServerTime(t); now.Before(before) || now.After(after) {
		t.Fatalf("%v is not between %v and %v", now, before, after)
	}
}

func TestWithoutADatabaseIsAnError(t *testing.T) {
	t.Parallel()
	_, list := admin.List(t.Context(), nil)
	_, metrics := admin.Metrics(t.Context(), nil)
	_, now := admin.Now(t.Context(), nil)
	_, describe := admin.Describe(t.Context(), nil, "a")
	for _, err := range []error{list, metrics, now, describe, admin.MaintainAll(t.Context(), nil), admin.Create(t.Context(), nil, "a")} {
		check.Is(t, err, queue.ErrInvalidOption)
	}
}
