package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// insert sends as a client in another language does, with plain SQL.
func insert(t testing.TB, name string, body, headers *string) int64 {
	t.Helper()
	return check.Value[int64](t, pgtest.Pool(), check.Tables(name,
		"INSERT INTO {Q} (vt, message, headers) VALUES (now(), $1::jsonb, $2::jsonb) RETURNING msg_id"), body, headers)
}

func TestBodiesThatDoNotDecodeHarmNoNeighboursAndAreKept(t *testing.T) {
	check.Parallel(t)
	ctx, q := t.Context(), pgtest.Queue[check.Order](t)
	bad := map[int64]string{}
	var good []int64
	for i := range int64(3) {
		good = append(good, check.Send(t, q, check.Order{ID: i}))
		text := []string{`"a string"`, `[1, 2]`, `{"order_id": "seven"}`}[i]
		bad[insert(t, q.Name(), &text, nil)] = text
	}
	for delivery := 1; delivery <= 2; delivery++ {
		msgs, err := q.Read(ctx, 100)
		if got := check.IDs(msgs); !slices.Equal(got, good) {
			t.Errorf("read %v, not %v", got, good)
		}
		undecoded := queue.DecodeErrors(err)
		check.Equal(t, "the number of DecodeErrors", len(undecoded), len(bad))
		for _, e := range undecoded {
			check.Equal(t, "Raw", string(e.Raw), bad[e.ID])
			if e.Err == nil {
				t.Errorf("message %d has no reason", e.ID)
			}
		}
		check.As[*queue.DecodeError](t, err)
		check.As[*json.UnmarshalTypeError](t, err)
		// They were hidden like the others, and they come back as well.
		check.ReadNone(t, q)
		for id := range bad {
			_, err = q.SetVTID(ctx, 0, id)
			check.OK(t, err)
		}
		_, err = q.SetVTID(ctx, 0, good...)
		check.OK(t, err)
	}
	for id, text := range bad {
		moved, err := q.ArchiveID(ctx, id)
		check.OK(t, err)
		check.Equal(t, "the number of ids", len(moved), 1)
		check.Equal(t, "what is in the archive", check.Value[string](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT message::text FROM {A} WHERE msg_id = $1"), id), text)
	}
	check.Equal(t, "the length", check.Length(t, q), 3)
}

func TestReadOfNothingButUndecodableBodiesIsNoWait(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	text := `"no number"`
	id := insert(t, q.Name(), &text, nil)
	msgs, err := q.Read(t.Context(), 1, queue.WaitFor(check.Patience))
	check.Equal(t, "the id in the error", check.As[*queue.DecodeError](t, err).ID, id)
	check.Equal(t, "the number of messages", len(msgs), 0)
}

func TestDecodeErrorsFindsNoneWhereThereAreNone(t *testing.T) {
	check.Parallel(t)
	check.Equal(t, "none in nil", len(queue.DecodeErrors(nil)), 0)
	check.Equal(t, "none in another error", len(queue.DecodeErrors(queue.ErrNotFound)), 0)
	q := pgtest.Queue[int](t)
	_, err := q.Read(t.Context(), 0)
	check.Equal(t, "none in a bad argument", len(queue.DecodeErrors(err)), 0)
}

func TestAnyJSONOfOtherClientsIsDelivered(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[any](t)
	for text, want := range map[string]any{
		`"text"`: "text", `7`: 7.0, `true`: true, `null`: nil, `[]`: []any{}, `{}`: map[string]any{}, `[{"a": [null]}]`: []any{map[string]any{"a": []any{nil}}},
	} {
		insert(t, q.Name(), &text, nil)
		m := check.ReadOne(t, q)
		got, err := json.Marshal(m.Body)
		check.OK(t, err)
		wanted, err := json.Marshal(want)
		check.OK(t, err)
		check.Equal(t, "the body "+text, string(got), string(wanted))
		check.OK(t, q.Delete(t.Context(), m))
	}
}

func TestBodyOfSQLNullIsTheZeroValue(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	insert(t, q.Name(), nil, nil)
	m := check.ReadOne(t, q)
	check.Equal(t, "the body", m.Body, check.Order{})
	check.OK(t, q.Archive(t.Context(), m))
	check.Equal(t, "whether it is still NULL", check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT message IS NULL FROM {A}")), true)

	raws := check.Open[json.RawMessage](t, pgtest.Pool(), q.Name())
	insert(t, q.Name(), nil, nil)
	m2 := check.Pop(t, raws)
	check.Equal(t, "the raw body", len(m2.Body), 0)
}

func TestHeadersOfAnyKindAreDelivered(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	body := "1"
	for _, text := range []string{`{"a": 1}`, `{}`, `[1, 2]`, `"text"`, `7`, `true`, `null`} {
		insert(t, q.Name(), &body, &text)
		m := check.ReadOne(t, q)
		check.Equal(t, "RawHeaders", string(m.RawHeaders()), text)
		if object := strings.HasPrefix(text, "{"); object != (m.Headers != nil) {
			t.Errorf("headers %s came as %#v", text, m.Headers)
		}
		check.OK(t, q.Delete(t.Context(), m))
	}
	insert(t, q.Name(), &body, nil)
	m := check.ReadOne(t, q)
	if m.Headers != nil || m.RawHeaders() != nil {
		t.Errorf("no headers came as %#v, %q", m.Headers, m.RawHeaders())
	}
}
