package api

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestPopOfNothingVisibleIsNoMessage(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 1)
	held := check.ReadOne(t, q)
	msgs, err := q.Pop(t.Context(), 1)
	check.OK(t, err)
	check.Equal(t, "messages", len(msgs), 0)
	check.OK(t, q.Delete(t.Context(), held))
	msgs, err = q.Pop(t.Context(), 1)
	check.OK(t, err)
	check.Equal(t, "messages", len(msgs), 0)
	_, err = q.Pop(t.Context(), 0)
	check.Is(t, err, queue.ErrInvalidOption)
}

func TestPopReturnsTheOldestInOrder(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	ids := check.SendBatch(t, q, []int{1, 2, 3, 4, 5})
	for _, want := range [][]int64{ids[:3], ids[3:], nil} {
		msgs, err := q.Pop(t.Context(), 3)
		check.OK(t, err)
		var got []int64
		for _, m := range msgs {
			got = append(got, m.ID)
		}
		check.EqualAll(t, "popped", got, want)
	}
}

func TestPoppedMessageHasNoReceipt(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 1)
	m := check.Pop(t, q)
	check.Is(t, q.Delete(t.Context(), m), queue.ErrNotFound)
	check.Is(t, q.Archive(t.Context(), m), queue.ErrNotFound)
	check.Equal(t, "the archive", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT count(*)::int FROM {A}")), 0)
}

func TestPoppedBodyThatDoesNotDecodeGoesIntoTheArchive(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	text, headers := `{"no": "number"}`, `["h"]`
	id := insert(t, q.Name(), &text, &headers)
	readBefore := check.Value[string](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT to_jsonb(q) #>> '{}' FROM {Q} q"))
	good := check.Send(t, q, 1)
	msgs, err := q.Pop(t.Context(), 2)
	e := check.As[*queue.DecodeError](t, err)
	check.Equal(t, "the id", e.ID, id)
	check.Equal(t, "Raw", string(e.Raw), text)
	check.Equal(t, "the other messages", len(msgs), 1)
	check.Equal(t, "the other message", msgs[0].ID, good)
	check.Equal(t, "the length", check.Length(t, q), 0)
	check.Equal(t, "the archived row", check.Value[string](t, pgtest.Pool(),
		check.Tables(q.Name(), "SELECT (to_jsonb(a) - 'archived_at') #>> '{}' FROM {A} a")), readBefore)
}

func TestPoppedBodyIsArchivedEvenWhenTheContextEnds(t *testing.T) {
	check.Parallel(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	name := pgtest.Queue[int](t).Name()
	q := check.Open[endsContext](t, pgtest.Pool(), name)
	endContext.Store(name, cancel)
	text := `"` + name + `"`
	id := insert(t, name, &text, nil)
	_, err := q.Pop(ctx, 1)
	check.Equal(t, "the id", check.As[*queue.DecodeError](t, err).ID, id)
	check.Equal(t, "the archived id", check.Value[int64](t, pgtest.Pool(), check.Tables(name, "SELECT msg_id FROM {A}")), id)
}

// endsContext is a body whose decoding fails and ends a context meanwhile.
type endsContext struct{}

var endContext sync.Map // name in the body -> context.CancelFunc

func (*endsContext) UnmarshalJSON(raw []byte) error {
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return err
	}
	cancel, _ := endContext.Load(name)
	cancel.(context.CancelFunc)()
	return errors.New("does not decode")
}
