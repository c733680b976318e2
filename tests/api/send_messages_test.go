package api

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestSendMessagesGivesEveryMessageItsOwnOptions(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[string](t)
	none, err := q.SendMessages(t.Context())
	check.OK(t, err)
	check.Equal(t, "ids of none", len(none), 0)

	at := check.ServerTime(t).Add(2 * time.Hour)
	sent, err := q.SendMessages(t.Context(), []queue.Outgoing[string]{
		{Body: "plain"},
		{Body: "headers", Options: []queue.SendOption{queue.Headers{"a": 1}}},
		{Body: "delay", Options: []queue.SendOption{queue.Delay(time.Hour)}},
		{Body: "at", Options: []queue.SendOption{queue.At(at)}},
	}...)
	check.OK(t, err)
	check.EqualAll(t, "ids", sent, []int64{1, 2, 3, 4})
	msgs := check.Peek(t, q, 10)
	check.Equal(t, "a header", msgs[1].Headers["a"], any(1.0))
	check.Equal(t, "headers of the first", msgs[0].Headers == nil, true)
	for i, want := range []string{"plain", "headers", "delay", "at"} {
		check.Equal(t, "a body", msgs[i].Body, want)
	}
	check.Equal(t, "delayed by", msgs[2].VisibleAt.Sub(msgs[0].VisibleAt), time.Hour)
	check.Equal(t, "visible at", msgs[3].VisibleAt.Equal(at.Truncate(time.Microsecond)), true)
	check.EqualAll(t, "ids that can be read", check.IDs(check.Read(t, q, 10)), []int64{1, 2})
}

func TestSendMessagesSendsAllOrNone(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[string](t)
	for index, bad := range []queue.Outgoing[string]{
		{Body: "\x00"},
		{Body: "b", Options: []queue.SendOption{queue.Headers{"h": "\x00"}}},
	} {
		msgs := []queue.Outgoing[string]{{Body: "a"}, {Body: "a"}}
		msgs[index] = bad
		_, err := q.SendMessages(t.Context(), msgs...)
		check.Equal(t, "the index", check.As[*queue.EncodeError](t, err).Index, index)
	}
	_, err := q.SendMessages(t.Context(), queue.Outgoing[string]{Options: []queue.SendOption{queue.Delay(-1)}})
	check.Is(t, err, queue.ErrInvalidOption)
	_, err = check.Open[string](t, pgtest.Pool(), "no such").SendMessages(t.Context(), make([]queue.Outgoing[string], 1)...)
	check.Is(t, err, queue.ErrNoQueue)
	err = pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		_, err := q.WithTx(tx).SendMessages(t.Context(), make([]queue.Outgoing[string], 3)...)
		check.OK(t, err)
		return check.ErrWork
	})
	check.Is(t, err, check.ErrWork)
	check.Equal(t, "messages", check.Length(t, q), 0)
}
