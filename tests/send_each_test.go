package tests

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestSendEachGivesEveryMessageItsOwnOptions(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[string](t)
	none, err := q.SendEach(t.Context(), nil)
	ok(t, err)
	equal(t, "ids of none", len(none), 0)

	at := serverTime(t).Add(2 * time.Hour)
	sent, err := q.SendEach(t.Context(), []queue.Outgoing[string]{
		{Body: "plain"},
		{Body: "headers", Options: []queue.SendOption{queue.Headers{"a": 1}}},
		{Body: "delay", Options: []queue.SendOption{queue.Delay(time.Hour)}},
		{Body: "at", Options: []queue.SendOption{queue.At(at)}},
	})
	ok(t, err)
	equalAll(t, "ids", sent, []int64{1, 2, 3, 4})
	msgs := peek(t, q, 10)
	equal(t, "a header", msgs[1].Headers["a"], any(1.0))
	equal(t, "headers of the first", msgs[0].Headers == nil, true)
	for i, want := range []string{"plain", "headers", "delay", "at"} {
		equal(t, "a body", msgs[i].Body, want)
	}
	equal(t, "delayed by", msgs[2].VisibleAt.Sub(msgs[0].VisibleAt), time.Hour)
	equal(t, "visible at", msgs[3].VisibleAt.Equal(at.Truncate(time.Microsecond)), true)
	equalAll(t, "ids that can be read", ids(read(t, q, 10)), []int64{1, 2})
}

func TestSendEachSendsAllOrNone(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[string](t)
	for index, bad := range []queue.Outgoing[string]{
		{Body: "\x00"},
		{Body: "b", Options: []queue.SendOption{queue.Headers{"h": "\x00"}}},
	} {
		msgs := []queue.Outgoing[string]{{Body: "a"}, {Body: "a"}}
		msgs[index] = bad
		_, err := q.SendEach(t.Context(), msgs)
		equal(t, "the index", as[*queue.EncodeError](t, err).Index, index)
	}
	_, err := q.SendEach(t.Context(), []queue.Outgoing[string]{{Options: []queue.SendOption{queue.Delay(-1)}}})
	is(t, err, queue.ErrOption)
	_, err = open[string](t, pgtest.Pool(), "no such").SendEach(t.Context(), make([]queue.Outgoing[string], 1))
	is(t, err, queue.ErrNoQueue)
	err = pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		_, err := q.WithTx(tx).SendEach(t.Context(), make([]queue.Outgoing[string], 3))
		ok(t, err)
		return errWork
	})
	is(t, err, errWork)
	equal(t, "messages", length(t, q), 0)
}
