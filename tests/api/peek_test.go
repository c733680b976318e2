package api

import (
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestPeekShowsHiddenMessagesTooAndChangesNothing(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Equal(t, "messages of an empty queue", len(check.Peek(t, q, 10)), 0)
	check.Send(t, q, 10, queue.Headers{"trace": "abc"})
	check.Send(t, q, 20, queue.Delay(time.Hour))
	check.Send(t, q, 30)
	held := check.Read(t, q, 1, queue.VT(time.Hour))[0]
	before := check.Values[string](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT (m, m.xmin)::text FROM {Q} AS m ORDER BY msg_id`))

	msgs := check.Peek(t, q, 10)
	check.EqualAll(t, "ids", check.IDs(msgs), []int64{1, 2, 3})
	check.Equal(t, "a body", msgs[1].Body, 20)
	check.Equal(t, "a header", msgs[0].Headers["trace"], any("abc"))
	check.Equal(t, "the reads of one that is held", msgs[0].Reads, 1)
	check.Equal(t, "the end of its lease", msgs[0].VisibleAt, held.VisibleAt)
	check.Equal(t, "the reads of another", msgs[2].Reads, 0)
	if now := check.ServerTime(t); !msgs[1].VisibleAt.After(now) || msgs[2].VisibleAt.After(now) {
		t.Errorf("the delayed one is visible at %v, the last at %v, and it is %v", msgs[1].VisibleAt, msgs[2].VisibleAt, now)
	}
	check.EqualAll(t, "ids of two", check.IDs(check.Peek(t, q, 2)), []int64{1, 2})
	check.EqualAll(t, "ids from 2 on", check.IDs(check.Peek(t, q, 10, queue.FromID(2))), []int64{2, 3})
	check.Equal(t, "messages from 4 on", len(check.Peek(t, q, 10, queue.FromID(4))), 0)
	check.Same(t, "rows", check.Values[string](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT (m, m.xmin)::text FROM {Q} AS m ORDER BY msg_id`)), before)
	check.OK(t, q.Delete(t.Context(), held))
}

func TestWhoOnlyLookedCannotSettle(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.SendBatch(t, q, []int{1, 2, 3, 4})
	held := check.Read(t, q, 2, queue.VT(time.Hour))
	check.OK(t, q.SetVT(t.Context(), 0, held[1])) // its row looks read, and nobody holds it
	looked := check.Peek(t, q, 3)
	for name, settle := range map[string]func(...*queue.Message[int]) error{
		"delete":  func(m ...*queue.Message[int]) error { return q.Delete(t.Context(), m...) },
		"archive": func(m ...*queue.Message[int]) error { return q.Archive(t.Context(), m...) },
		"set vt":  func(m ...*queue.Message[int]) error { return q.SetVT(t.Context(), 0, m...) },
	} {
		err := settle(looked...)
		check.Is(t, err, queue.ErrLeaseLost)
		lost := check.As[*queue.LeaseLostError](t, err)
		check.EqualAll(t, name+": unread", lost.Unread, []int64{1, 2, 3})
		check.Equal(t, name+": gone", len(lost.Gone), 0)
		check.Contains(t, err.Error(), "only looked at, not read: 1 2 3")
		check.Equal(t, name+": length", check.Length(t, q), 4)
	}
	// Beside a message that was read, and one that is gone.
	fourth := check.Peek(t, q, 1, queue.FromID(4))[0]
	_, err := q.DeleteID(t.Context(), 4)
	check.OK(t, err)
	err = q.Delete(t.Context(), held[0], looked[2], fourth)
	check.Contains(t, err.Error(), "only looked at, not read: 3; no longer in the queue: 4")
	check.EqualAll(t, "left", check.IDs(check.Peek(t, q, 10)), []int64{2, 3})
}

func TestPeekTellsWhatDoesNotDecode(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, check.Open[string](t, pgtest.Pool(), q.Name()), "two")
	check.Send(t, q, 3)
	msgs, err := q.Peek(t.Context(), 10)
	check.EqualAll(t, "ids", check.IDs(msgs), []int64{2})
	check.Equal(t, "the id of the other", check.As[*queue.DecodeError](t, err).ID, 1)
}

func TestPeekRefuses(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	_, err := q.Peek(t.Context(), 0)
	check.Is(t, err, queue.ErrInvalidOption)
	_, err = q.Peek(t.Context(), 1, nil)
	check.Is(t, err, queue.ErrInvalidOption)
	_, err = check.Open[int](t, pgtest.Pool(), "no such").Peek(t.Context(), 1)
	check.Is(t, err, queue.ErrNoQueue)
}
