package api

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

func TestArchivedLoopsOverTheArchiveInOrder(t *testing.T) {
	check.Parallel(t)
	check.Equal(t, "messages of an empty archive", len(check.ArchivedIDs(t, pgtest.Queue[int](t))), 0)
	q := check.InArchive(t, 250) // more than two pages
	next := 1
	for m, err := range q.Archived(t.Context()) {
		check.OK(t, err)
		check.Equal(t, "the id", m.ID, int64(next))
		check.Equal(t, "the body", m.Body, next)
		check.Equal(t, "a header", m.Headers["trace"], any("abc"))
		check.Equal(t, "archived at", m.ArchivedAt.Equal(check.Hourly(next)), true)
		next++
	}
	check.Equal(t, "the number after the last", next, 251)
	check.EqualAll(t, "from 249 on", check.ArchivedIDs(t, q, queue.FromID(249)), []int64{249, 250})
	check.EqualAll(t, "between", check.ArchivedIDs(t, q, queue.Since(check.Hourly(7)), queue.Until(check.Hourly(10))), []int64{7, 8, 9})
	for _, hour := range []int{6, 10} { // the ids are not in the order of the times
		check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {A} SET archived_at = $1 WHERE msg_id = 8`), check.Hourly(hour))
		check.EqualAll(t, "between", check.ArchivedIDs(t, q, queue.Since(check.Hourly(7)), queue.Until(check.Hourly(10))), []int64{7, 9})
	}
	check.Equal(t, "at any time", len(check.ArchivedIDs(t, q, queue.Since{}, queue.Until{})), 250)
	for range q.Archived(t.Context()) {
		break
	}
}

func TestArchivedGoesOnPastWhatDoesNotDecode(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 3)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {A} SET message = '"two"' WHERE msg_id = 2`))
	var good, bad []int64
	for m, err := range q.Archived(t.Context()) {
		if err != nil {
			bad = append(bad, check.As[*queue.DecodeError](t, err).ID)
			continue
		}
		good = append(good, m.ID)
	}
	check.EqualAll(t, "good", good, []int64{1, 3})
	check.EqualAll(t, "bad", bad, []int64{2})
}

func TestWhatIsInTheArchiveCannotBeSettled(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 1)
	check.OK(t, q.Archive(t.Context(), check.ReadOne(t, q)))
	for m, err := range q.Archived(t.Context()) {
		check.OK(t, err)
		err = q.Delete(t.Context(), &m.Message)
		check.Is(t, err, queue.ErrNotFound)
		check.EqualAll(t, "unread", check.As[*queue.LeaseLostError](t, err).Unread, []int64{1})
	}
}

func TestReplayMovesArchivedMessagesBackInOrder(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 2500)
	var steps []int64
	moved, err := admin.Replay(t.Context(), pgtest.Pool(), q.Name(), admin.Progress(func(n int64) { steps = append(steps, n) }))
	check.OK(t, err)
	check.Equal(t, "moved", moved, 2500)
	check.EqualAll(t, "progress", steps, []int64{1000, 2000, 2500})
	check.Equal(t, "left in the archive", len(check.ArchivedIDs(t, q)), 0)
	for i, m := range check.Read(t, q, 3000) {
		check.Equal(t, "the body", m.Body, i+1)
		check.Equal(t, "the id, which is new", m.ID, int64(2500+i+1))
		check.Equal(t, "reads", m.Reads, 1)
		check.Equal(t, "a header", m.Headers["trace"], any("abc"))
	}
	again, err := admin.Replay(t.Context(), pgtest.Pool(), q.Name())
	check.OK(t, err)
	check.Equal(t, "moved the second time", again, 0)
}

func TestReplayByIDAndByTime(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 10)
	replay := func(want int64, opts ...admin.ReplayOption) {
		t.Helper()
		moved, err := admin.Replay(t.Context(), pgtest.Pool(), q.Name(), opts...)
		check.OK(t, err)
		check.Equal(t, "moved", moved, want)
	}
	replay(0, admin.IDs{})
	replay(2, admin.IDs{9, 1, 4711})
	replay(0, admin.IDs{9, 1})
	replay(3, admin.Since(check.Hourly(3)), admin.Until(check.Hourly(6)))
	replay(2, admin.Since(check.Hourly(8)), admin.Until(check.Hourly(24*365*100)))
	check.EqualAll(t, "left", check.ArchivedIDs(t, q), []int64{2, 6, 7})
	var bodies []int
	for _, m := range check.Read(t, q, 10) {
		bodies = append(bodies, m.Body)
	}
	check.EqualAll(t, "bodies", bodies, []int{1, 9, 3, 4, 5, 8, 10})
}

func TestReplayDoesNotMoveWhatIsArchivedMeanwhile(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 2000)
	// Each step archives the messages that it brought back: without a limit this would
	// never end.
	moved, err := admin.Replay(t.Context(), pgtest.Pool(), q.Name(), admin.Progress(func(int64) {
		check.OK(t, q.Archive(t.Context(), check.Read(t, q, 1000)...))
	}))
	check.OK(t, err)
	check.Equal(t, "moved", moved, 2000)
	check.Equal(t, "in the archive", len(check.ArchivedIDs(t, q)), 2000)
}

func TestTwoReplaysAtOnceMoveEachMessageOnce(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 5000)
	var group errgroup.Group
	total := make([]int64, 4)
	for i := range total {
		group.Go(func() (err error) {
			total[i], err = admin.Replay(t.Context(), pgtest.Pool(), q.Name())
			return err
		})
	}
	check.OK(t, group.Wait())
	check.Equal(t, "moved by all", total[0]+total[1]+total[2]+total[3], 5000)
	check.Equal(t, "messages", check.Length(t, q), 5000)
	check.Equal(t, "left in the archive", len(check.ArchivedIDs(t, q)), 0)
}

func TestReplayWakesWhoeverWaits(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 1)
	w := check.WaitsFor(t, q.Name())
	for _, want := range []int{1, 0} { // nothing is left to replay
		moved, err := admin.Replay(t.Context(), pgtest.Pool(), q.Name())
		check.OK(t, err)
		check.Equal(t, "replayed", moved, int64(want))
		check.Equal(t, "notifications", w.Heard(t), want)
	}
}

func TestReplayInATransactionIsAllOrNothing(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 5)
	err := pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		moved, err := admin.Replay(t.Context(), tx, q.Name())
		check.OK(t, err)
		check.Equal(t, "moved", moved, 5)
		return check.ErrWork
	})
	check.Is(t, err, check.ErrWork)
	check.Equal(t, "in the archive", len(check.ArchivedIDs(t, q)), 5)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestPruneArchiveRemovesWhatIsOlder(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 3500)
	// Messages archived by one statement have one time: more than a step of them.
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {A} SET archived_at = '2020-01-01 00:00:00+00' WHERE msg_id > 1000`))
	var steps []int64
	pruned, err := admin.Prune(t.Context(), pgtest.Pool(), q.Name(), check.Hourly(990), admin.Progress(func(n int64) { steps = append(steps, n) }))
	check.OK(t, err)
	check.Equal(t, "pruned", pruned, 3489)
	check.EqualAll(t, "progress", steps, []int64{1000, 2000, 3000, 3489})
	check.EqualAll(t, "left", check.ArchivedIDs(t, q), []int64{990, 991, 992, 993, 994, 995, 996, 997, 998, 999, 1000})
	again, err := admin.Prune(t.Context(), pgtest.Pool(), q.Name(), check.Hourly(990))
	check.OK(t, err)
	check.Equal(t, "pruned the second time", again, 0)
}

func TestArchiveOperationsRefuse(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 1)
	replay := func(name string, opts ...admin.ReplayOption) error {
		_, err := admin.Replay(t.Context(), pgtest.Pool(), name, opts...)
		return err
	}
	prune := func(name string, opts ...admin.PruneOption) error {
		_, err := admin.Prune(t.Context(), pgtest.Pool(), name, time.Now(), opts...)
		return err
	}
	list := func(name string, opts ...queue.ArchiveOption) error {
		for _, err := range check.Open[int](t, pgtest.Pool(), name).Archived(t.Context(), opts...) {
			return err
		}
		return nil
	}
	check.Is(t, replay("a;b"), queue.ErrInvalidName)
	check.Is(t, prune("a;b"), queue.ErrInvalidName)
	check.Is(t, replay("no such"), queue.ErrNoQueue)
	check.Is(t, prune("no such"), queue.ErrNoQueue)
	check.Is(t, list("no such"), queue.ErrNoQueue)
	check.Is(t, replay(q.Name(), nil), queue.ErrInvalidOption)
	check.Is(t, prune(q.Name(), nil), queue.ErrInvalidOption)
	check.Is(t, list(q.Name(), nil), queue.ErrInvalidOption)
	check.OK(t, replay(q.Name(), admin.IDs{}, admin.Progress(nil), admin.Intercept(nil), admin.Since{}, admin.Until{}))
	pruned, err := admin.Prune(t.Context(), pgtest.Pool(), q.Name(), time.Time{}, admin.Progress(nil))
	check.OK(t, err)
	check.Equal(t, "pruned before no time", pruned, 0)
	check.Is(t, replay(q.Name(), admin.IDs{1}, admin.Since(check.Hourly(0))), queue.ErrInvalidOption)
	check.Equal(t, "in the archive", len(check.ArchivedIDs(t, q)), 1)
}

func TestAnArchivistMayReplayAndPruneAndNoMore(t *testing.T) {
	check.Parallel(t)
	q := check.InArchive(t, 3)
	check.Send(t, q, 4)
	pool := check.Documented(t, q.Name(), "Archivist")
	moved, err := admin.Replay(t.Context(), pool, q.Name(), admin.IDs{1})
	check.OK(t, err)
	check.Equal(t, "moved", moved, 1)
	pruned, err := admin.Prune(t.Context(), pool, q.Name(), check.Hourly(3))
	check.OK(t, err)
	check.Equal(t, "pruned", pruned, 1)
	check.EqualAll(t, "what is left", check.ArchivedIDs(t, check.Open[int](t, pool, q.Name())), []int64{3})
	_, err = check.Open[int](t, pool, q.Name()).Read(t.Context(), 1)
	check.Forbidden(t, "read", err)
	_, err = check.Open[int](t, pool, q.Name()).DeleteID(t.Context(), 4)
	check.Forbidden(t, "delete", err)
}
