package tests

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// inArchive is a queue with n messages, numbered by their ids, in its archive:
// message i was archived i hours after the start of the year 2020.
func inArchive(t testing.TB, n int) *queue.Queue[int] {
	t.Helper()
	q := pgtest.Queue[int](t)
	bodies := make([]int, n)
	for i := range bodies {
		bodies[i] = i + 1
	}
	all := sendBatch(t, q, bodies, queue.Headers{"trace": "abc"})
	_, err := q.ArchiveID(t.Context(), all...)
	ok(t, err)
	exec(t, pgtest.Pool(), tables(q.Name(), `UPDATE {A} SET archived_at = '2020-01-01 00:00:00+00'::timestamptz + msg_id * interval '1 hour'`))
	return q
}

// hourly is when message n of such a queue was archived.
func hourly(n int) time.Time {
	return time.Date(2020, 1, 1, n, 0, 0, 0, time.UTC)
}

// archivedIDs are those in the archive.
func archivedIDs[T any](t testing.TB, q *queue.Queue[T], opts ...queue.ArchiveOption) []int64 {
	t.Helper()
	var all []int64
	for m, err := range q.Archived(t.Context(), opts...) {
		ok(t, err)
		all = append(all, m.ID)
	}
	return all
}

func TestArchivedLoopsOverTheArchiveInOrder(t *testing.T) {
	t.Parallel()
	equal(t, "messages of an empty archive", len(archivedIDs(t, pgtest.Queue[int](t))), 0)
	q := inArchive(t, 250) // more than two pages
	next := 1
	for m, err := range q.Archived(t.Context()) {
		ok(t, err)
		equal(t, "the id", m.ID, int64(next))
		equal(t, "the body", m.Body, next)
		equal(t, "a header", m.Headers["trace"], any("abc"))
		equal(t, "archived at", m.ArchivedAt.Equal(hourly(next)), true)
		next++
	}
	equal(t, "the number after the last", next, 251)
	equalAll(t, "from 249 on", archivedIDs(t, q, queue.From(249)), []int64{249, 250})
	equalAll(t, "between", archivedIDs(t, q, queue.Since(hourly(7)), queue.Until(hourly(10))), []int64{7, 8, 9})
	for _, hour := range []int{6, 10} { // the ids are not in the order of the times
		exec(t, pgtest.Pool(), tables(q.Name(), `UPDATE {A} SET archived_at = $1 WHERE msg_id = 8`), hourly(hour))
		equalAll(t, "between", archivedIDs(t, q, queue.Since(hourly(7)), queue.Until(hourly(10))), []int64{7, 9})
	}
	equal(t, "at any time", len(archivedIDs(t, q, queue.Since{}, queue.Until{})), 250)
	for range q.Archived(t.Context()) {
		break
	}
}

func TestArchivedGoesOnPastWhatDoesNotDecode(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 3)
	exec(t, pgtest.Pool(), tables(q.Name(), `UPDATE {A} SET message = '"two"' WHERE msg_id = 2`))
	var good, bad []int64
	for m, err := range q.Archived(t.Context()) {
		if err != nil {
			bad = append(bad, as[*queue.DecodeError](t, err).ID)
			continue
		}
		good = append(good, m.ID)
	}
	equalAll(t, "good", good, []int64{1, 3})
	equalAll(t, "bad", bad, []int64{2})
}

func TestWhatIsInTheArchiveCannotBeSettled(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	send(t, q, 1)
	ok(t, q.Archive(t.Context(), readOne(t, q)))
	for m, err := range q.Archived(t.Context()) {
		ok(t, err)
		err = q.Delete(t.Context(), &m.Message)
		is(t, err, queue.ErrNotFound)
		equalAll(t, "unread", as[*queue.LeaseLostError](t, err).Unread, []int64{1})
	}
}

func TestReplayMovesArchivedMessagesBackInOrder(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 2500)
	var steps []int64
	moved, err := queue.Replay(t.Context(), pgtest.Pool(), q.Name(), queue.Progress(func(n int64) { steps = append(steps, n) }))
	ok(t, err)
	equal(t, "moved", moved, 2500)
	equalAll(t, "progress", steps, []int64{1000, 2000, 2500})
	equal(t, "left in the archive", len(archivedIDs(t, q)), 0)
	for i, m := range read(t, q, 3000) {
		equal(t, "the body", m.Body, i+1)
		equal(t, "the id, which is new", m.ID, int64(2500+i+1))
		equal(t, "reads", m.Reads, 1)
		equal(t, "a header", m.Headers["trace"], any("abc"))
	}
	again, err := queue.Replay(t.Context(), pgtest.Pool(), q.Name())
	ok(t, err)
	equal(t, "moved the second time", again, 0)
}

func TestReplayByIDAndByTime(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 10)
	replay := func(want int64, opts ...queue.ReplayOption) {
		t.Helper()
		moved, err := queue.Replay(t.Context(), pgtest.Pool(), q.Name(), opts...)
		ok(t, err)
		equal(t, "moved", moved, want)
	}
	replay(0, queue.IDs{})
	replay(2, queue.IDs{9, 1, 4711})
	replay(0, queue.IDs{9, 1})
	replay(3, queue.Since(hourly(3)), queue.Until(hourly(6)))
	replay(2, queue.Since(hourly(8)), queue.Until(hourly(24*365*100)))
	equalAll(t, "left", archivedIDs(t, q), []int64{2, 6, 7})
	var bodies []int
	for _, m := range read(t, q, 10) {
		bodies = append(bodies, m.Body)
	}
	equalAll(t, "bodies", bodies, []int{1, 9, 3, 4, 5, 8, 10})
}

func TestReplayDoesNotMoveWhatIsArchivedMeanwhile(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 2000)
	// Each step archives what it brought back: without a limit this would never end.
	moved, err := queue.Replay(t.Context(), pgtest.Pool(), q.Name(), queue.Progress(func(int64) {
		ok(t, q.Archive(t.Context(), read(t, q, 1000)...))
	}))
	ok(t, err)
	equal(t, "moved", moved, 2000)
	equal(t, "in the archive", len(archivedIDs(t, q)), 2000)
}

func TestTwoReplaysAtOnceMoveEachMessageOnce(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 5000)
	var group errgroup.Group
	total := make([]int64, 4)
	for i := range total {
		group.Go(func() (err error) {
			total[i], err = queue.Replay(t.Context(), pgtest.Pool(), q.Name())
			return err
		})
	}
	ok(t, group.Wait())
	equal(t, "moved by all", total[0]+total[1]+total[2]+total[3], 5000)
	equal(t, "messages", length(t, q), 5000)
	equal(t, "left in the archive", len(archivedIDs(t, q)), 0)
}

func TestReplayWakesWhoeverWaits(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 1)
	w := waitsFor(t, q.Name())
	for _, want := range []int{1, 0} { // nothing is left to replay
		moved, err := queue.Replay(t.Context(), pgtest.Pool(), q.Name())
		ok(t, err)
		equal(t, "replayed", moved, int64(want))
		equal(t, "notifications", w.heard(t), want)
	}
}

func TestReplayInATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 5)
	err := pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		moved, err := queue.Replay(t.Context(), tx, q.Name())
		ok(t, err)
		equal(t, "moved", moved, 5)
		return errWork
	})
	is(t, err, errWork)
	equal(t, "in the archive", len(archivedIDs(t, q)), 5)
	equal(t, "messages", length(t, q), 0)
}

func TestPruneArchiveRemovesWhatIsOlder(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 3500)
	// What was archived by one statement has one time: more than a step of it.
	exec(t, pgtest.Pool(), tables(q.Name(), `UPDATE {A} SET archived_at = '2020-01-01 00:00:00+00' WHERE msg_id > 1000`))
	var steps []int64
	pruned, err := queue.PruneArchive(t.Context(), pgtest.Pool(), q.Name(), hourly(990), queue.Progress(func(n int64) { steps = append(steps, n) }))
	ok(t, err)
	equal(t, "pruned", pruned, 3489)
	equalAll(t, "progress", steps, []int64{1000, 2000, 3000, 3489})
	equalAll(t, "left", archivedIDs(t, q), []int64{990, 991, 992, 993, 994, 995, 996, 997, 998, 999, 1000})
	again, err := queue.PruneArchive(t.Context(), pgtest.Pool(), q.Name(), hourly(990))
	ok(t, err)
	equal(t, "pruned the second time", again, 0)
}

func TestArchiveOperationsRefuse(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 1)
	replay := func(name string, opts ...queue.ReplayOption) error {
		_, err := queue.Replay(t.Context(), pgtest.Pool(), name, opts...)
		return err
	}
	prune := func(name string, opts ...queue.PruneOption) error {
		_, err := queue.PruneArchive(t.Context(), pgtest.Pool(), name, time.Now(), opts...)
		return err
	}
	list := func(name string, opts ...queue.ArchiveOption) error {
		for _, err := range open[int](t, pgtest.Pool(), name).Archived(t.Context(), opts...) {
			return err
		}
		return nil
	}
	is(t, replay("a;b"), queue.ErrName)
	is(t, prune("a;b"), queue.ErrName)
	is(t, replay("no such"), queue.ErrNoQueue)
	is(t, prune("no such"), queue.ErrNoQueue)
	is(t, list("no such"), queue.ErrNoQueue)
	is(t, replay(q.Name(), nil), queue.ErrOption)
	is(t, prune(q.Name(), nil), queue.ErrOption)
	is(t, list(q.Name(), nil), queue.ErrOption)
	is(t, replay(q.Name(), queue.Progress(nil)), queue.ErrOption)
	is(t, prune(q.Name(), queue.Progress(nil)), queue.ErrOption)
	is(t, replay(q.Name(), queue.IDs{1}, queue.Since(hourly(0))), queue.ErrOption)
	equal(t, "in the archive", len(archivedIDs(t, q)), 1)
}

func TestAnArchivistMayReplayAndPruneAndNoMore(t *testing.T) {
	t.Parallel()
	q := inArchive(t, 3)
	send(t, q, 4)
	pool := documented(t, q.Name(), "Archivist")
	moved, err := queue.Replay(t.Context(), pool, q.Name(), queue.IDs{1})
	ok(t, err)
	equal(t, "moved", moved, 1)
	pruned, err := queue.PruneArchive(t.Context(), pool, q.Name(), hourly(3))
	ok(t, err)
	equal(t, "pruned", pruned, 1)
	equalAll(t, "what is left", archivedIDs(t, open[int](t, pool, q.Name())), []int64{3})
	_, err = open[int](t, pool, q.Name()).Read(t.Context(), 1)
	forbidden(t, "read", err)
	_, err = open[int](t, pool, q.Name()).DeleteID(t.Context(), 4)
	forbidden(t, "delete", err)
}
