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

func TestPopOfNothingVisibleIsErrEmpty(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	send(t, q, 1)
	held := readOne(t, q)
	m, err := q.Pop(t.Context())
	is(t, err, queue.ErrEmpty)
	equal(t, "the message", m, nil)
	ok(t, q.Delete(t.Context(), held))
	_, err = q.Pop(t.Context())
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
