package tests

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestPopRemovesTheOldestVisibleMessageAndReturnsIt(t *testing.T) {
	t.Parallel()
	ctx, q := t.Context(), pgtest.Queue[int](t)
	sent := sendBatch(t, q, []int{10, 11, 12}, queue.Headers{"h": "x"})
	readOne := read(t, q, 1)[0]
	ok(t, q.SetVT(ctx, 0, readOne))
	held := read(t, q, 1)[0] // the oldest is somebody's
	equal(t, "the one that is held", held.ID, sent[0])

	for i, want := range []int64{sent[1], sent[2]} {
		m, err := q.Pop(ctx)
		ok(t, err)
		equal(t, "the id", m.ID, want)
		equal(t, "the body", m.Body, 11+i)
		equal(t, "Reads", m.Reads, 0)
		equal(t, "a header", m.Headers["h"], any("x"))
		equal(t, "the length", length(t, q), int64(2-i))
	}
	m, err := q.Pop(ctx)
	is(t, err, queue.ErrEmpty)
	equal(t, "the message", m, nil)

	ok(t, q.SetVT(ctx, 0, held))
	m, err = q.Pop(ctx)
	ok(t, err)
	equal(t, "Reads of the one that was read twice", m.Reads, 2)
	_, err = q.Pop(ctx)
	is(t, err, queue.ErrEmpty)
}

func TestPoppedMessageHasNoReceipt(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	send(t, q, 1)
	m, err := q.Pop(t.Context())
	ok(t, err)
	is(t, q.Delete(t.Context(), m), queue.ErrNotFound)
	is(t, q.Archive(t.Context(), m), queue.ErrNotFound)
	equal(t, "the archive", value[int](t, pgtest.Pool(), tables(q.Name(), "SELECT count(*)::int FROM {A}")), 0)
}

func TestPoppedBodyThatDoesNotDecodeGoesIntoTheArchive(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	text, headers := `{"no": "number"}`, `["h"]`
	id := insert(t, q.Name(), &text, &headers)
	readBefore := value[string](t, pgtest.Pool(), tables(q.Name(), "SELECT to_jsonb(q) #>> '{}' FROM {Q} q"))
	m, err := q.Pop(t.Context())
	e := as[*queue.DecodeError](t, err)
	equal(t, "the id", e.ID, id)
	equal(t, "Raw", string(e.Raw), text)
	equal(t, "the message", m, nil)
	equal(t, "the length", length(t, q), 0)
	equal(t, "the archived row", value[string](t, pgtest.Pool(),
		tables(q.Name(), "SELECT (to_jsonb(a) - 'archived_at') #>> '{}' FROM {A} a")), readBefore)
}

func TestPoppedBodyIsArchivedEvenWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	name := pgtest.Queue[int](t).Name()
	q := open[endsContext](t, pgtest.Pool(), name)
	endContext.Store(name, cancel)
	text := `"` + name + `"`
	id := insert(t, name, &text, nil)
	_, err := q.Pop(ctx)
	equal(t, "the id", as[*queue.DecodeError](t, err).ID, id)
	equal(t, "the archived id", value[int64](t, pgtest.Pool(), tables(name, "SELECT msg_id FROM {A}")), id)
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
