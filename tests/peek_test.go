package tests

import (
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func peek[T any](t testing.TB, q *queue.Queue[T], n int, opts ...queue.PeekOption) []*queue.Message[T] {
	t.Helper()
	msgs, err := q.Peek(t.Context(), n, opts...)
	ok(t, err)
	return msgs
}

func TestPeekShowsHiddenMessagesTooAndChangesNothing(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	equal(t, "messages of an empty queue", len(peek(t, q, 10)), 0)
	send(t, q, 10, queue.Headers{"trace": "abc"})
	send(t, q, 20, queue.Delay(time.Hour))
	send(t, q, 30)
	held := read(t, q, 1, queue.VT(time.Hour))[0]
	before := values[string](t, pgtest.Pool(), tables(q.Name(), `SELECT (m, m.xmin)::text FROM {Q} AS m ORDER BY msg_id`))

	msgs := peek(t, q, 10)
	equalAll(t, "ids", ids(msgs), []int64{1, 2, 3})
	equal(t, "a body", msgs[1].Body, 20)
	equal(t, "a header", msgs[0].Headers["trace"], any("abc"))
	equal(t, "the reads of one that is held", msgs[0].Reads, 1)
	equal(t, "the end of its lease", msgs[0].VisibleAt, held.VisibleAt)
	equal(t, "the reads of another", msgs[2].Reads, 0)
	if now := serverTime(t); !msgs[1].VisibleAt.After(now) || msgs[2].VisibleAt.After(now) {
		t.Errorf("the delayed one is visible at %v, the last at %v, and it is %v", msgs[1].VisibleAt, msgs[2].VisibleAt, now)
	}
	equalAll(t, "ids of two", ids(peek(t, q, 2)), []int64{1, 2})
	equalAll(t, "ids from 2 on", ids(peek(t, q, 10, queue.From(2))), []int64{2, 3})
	equal(t, "messages from 4 on", len(peek(t, q, 10, queue.From(4))), 0)
	same(t, "rows", values[string](t, pgtest.Pool(), tables(q.Name(), `SELECT (m, m.xmin)::text FROM {Q} AS m ORDER BY msg_id`)), before)
	ok(t, q.Delete(t.Context(), held))
}

func TestWhoOnlyLookedCannotSettle(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	sendBatch(t, q, []int{1, 2, 3, 4})
	held := read(t, q, 2, queue.VT(time.Hour))
	ok(t, q.SetVT(t.Context(), 0, held[1])) // its row looks read, and nobody holds it
	looked := peek(t, q, 3)
	for name, settle := range map[string]func(...*queue.Message[int]) error{
		"delete":  func(m ...*queue.Message[int]) error { return q.Delete(t.Context(), m...) },
		"archive": func(m ...*queue.Message[int]) error { return q.Archive(t.Context(), m...) },
		"set vt":  func(m ...*queue.Message[int]) error { return q.SetVT(t.Context(), 0, m...) },
	} {
		err := settle(looked...)
		is(t, err, queue.ErrLeaseLost)
		lost := as[*queue.LeaseLostError](t, err)
		equalAll(t, name+": unread", lost.Unread, []int64{1, 2, 3})
		equal(t, name+": gone", len(lost.Gone), 0)
		contains(t, err.Error(), "only looked at, not read: 1 2 3")
		equal(t, name+": length", length(t, q), 4)
	}
	// Beside one that was read, and one that is gone.
	fourth := peek(t, q, 1, queue.From(4))[0]
	_, err := q.DeleteID(t.Context(), 4)
	ok(t, err)
	err = q.Delete(t.Context(), held[0], looked[2], fourth)
	contains(t, err.Error(), "only looked at, not read: 3; no longer in the queue: 4")
	equalAll(t, "left", ids(peek(t, q, 10)), []int64{2, 3})
}

func TestPeekTellsWhatDoesNotDecode(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	send(t, open[string](t, pgtest.Pool(), q.Name()), "two")
	send(t, q, 3)
	msgs, err := q.Peek(t.Context(), 10)
	equalAll(t, "ids", ids(msgs), []int64{2})
	equal(t, "the id of the other", as[*queue.DecodeError](t, err).ID, 1)
}

func TestPeekRefuses(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	_, err := q.Peek(t.Context(), 0)
	is(t, err, queue.ErrOption)
	_, err = q.Peek(t.Context(), 1, nil)
	is(t, err, queue.ErrOption)
	_, err = open[int](t, pgtest.Pool(), "no such").Peek(t.Context(), 1)
	is(t, err, queue.ErrNoQueue)
}
