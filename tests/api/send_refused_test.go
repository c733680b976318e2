package api

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

type failing struct{}

var errFailing = errors.New("not today")

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }

type cycle struct{ Next *cycle }

func badBodies() map[string]any {
	loop := &cycle{}
	loop.Next = loop
	return map[string]any{
		"channel":                     make(chan int),
		"channel in a field":          struct{ C chan int }{},
		"function":                    struct{ F func() }{func() {}},
		"not a number":                math.NaN(),
		"infinity":                    []float64{1, math.Inf(-1)},
		"a value in itself":           loop,
		"failing Marshaler":           failing{},
		"invalid RawMessage":          json.RawMessage(`{"a":`),
		"empty RawMessage":            json.RawMessage{},
		"two values":                  json.RawMessage(`1 2`),
		"NUL":                         "a\x00b",
		"NUL in a key":                map[string]int{"\x00": 1},
		"NUL in a field":              check.Order{Customer: "\x00"},
		"NUL in RawMessage":           json.RawMessage(`["\\",{"a\u0000b":1}]`),
		"invalid UTF-8":               "a\xffb",
		"cut-off UTF-8":               "\xf0\x9f\x98",
		"a surrogate in UTF-8":        "\xed\xa0\x80",
		"invalid UTF-8 in a field":    &check.Order{Customer: "\xff"},
		"invalid UTF-8 in a key":      map[string]int{"\xc0\xaf": 1},
		"invalid UTF-8 deep":          []any{map[string]any{"x": []*check.Order{nil, {Customer: "\x80"}}}},
		"invalid UTF-8 beside U+FFFD": "\uFFFD\xff",
		"invalid UTF-8 in RawMessage": json.RawMessage("\"\xff\""),
		"high surrogate":              json.RawMessage(`"\ud800"`),
		"high surrogate, then text":   json.RawMessage(`"\uD83Dx00"`),
		"high surrogate, then escape": json.RawMessage(`"\ud83d\n"`),
		"high surrogate twice":        json.RawMessage(`"\ud83d\ud83d\ude00"`),
		"low surrogate":               json.RawMessage(`"\uDE00"`),
		"low surrogate after a pair":  json.RawMessage(`"\ud83d\ude00\ude00"`),
		"pair the wrong way round":    json.RawMessage(`"\ude00\ud83d"`),
		"surrogate in a key":          json.RawMessage(`{"\ud800":1}`),
		"nested 20,000 deep":          json.RawMessage(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)),
	}
}

func TestBodyThatCannotBeStoredIsNamedByItsPlaceAndNothingIsSent(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[any](t)
	for name, bad := range badBodies() {
		id, err := q.Send(t.Context(), bad)
		if e := check.As[*queue.EncodeError](t, err); e.Index != 0 || e.Err == nil || id != 0 {
			t.Errorf("%s: Send returned %d, %+v", name, id, e)
		}
		sent, err := q.SendBatch(t.Context(), []any{1, "two", nil, bad, bad, 6})
		if e := check.As[*queue.EncodeError](t, err); e.Index != 3 || e.Err == nil || sent != nil {
			t.Errorf("%s: SendBatch returned %v, %+v", name, sent, e)
		}
		_, err = q.Send(t.Context(), 1, queue.Headers{"ok": 1, "header": bad})
		if e := check.As[*queue.EncodeError](t, err); e.Index != -1 || e.Err == nil {
			t.Errorf("%s in a header: Send returned %+v", name, e)
		}
		_, err = q.SendBatch(t.Context(), []any{1, 2}, queue.Headers{"ok": 1, "header": bad})
		if e := check.As[*queue.EncodeError](t, err); e.Index != -1 || e.Err == nil {
			t.Errorf("%s in a header: SendBatch returned %+v", name, e)
		}
	}
	check.Equal(t, "the length", check.Length(t, q), 0)
}

func TestReasonOfAnEncodeErrorStaysReachable(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[any](t)
	_, err := q.Send(t.Context(), failing{})
	check.Is(t, err, errFailing)
	_, err = q.Send(t.Context(), make(chan int))
	check.As[*json.UnsupportedTypeError](t, err)
	_, err = q.Send(t.Context(), json.RawMessage("1e400000"))
	check.SQLState(t, err, "22003")
}

func TestBodyThatOnlyTheServerCanRefuseIsAnEncodeErrorToo(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[json.RawMessage](t)
	for _, bad := range []string{"1e400000", `{"a":[-1E999999]}`} {
		id, err := q.Send(t.Context(), json.RawMessage(bad))
		if e := check.As[*queue.EncodeError](t, err); e.Index != 0 || id != 0 {
			t.Errorf("%s: Send returned %d, %+v", bad, id, e)
		}
		sent, err := q.SendBatch(t.Context(), []json.RawMessage{[]byte("1"), []byte(bad), []byte("2")})
		if e := check.As[*queue.EncodeError](t, err); e.Index != -1 || sent != nil {
			t.Errorf("%s: SendBatch returned %v, %+v", bad, sent, e)
		}
		_, err = q.Send(t.Context(), json.RawMessage("1"), queue.Headers{"h": json.RawMessage(bad)})
		check.As[*queue.EncodeError](t, err)
	}
	check.Equal(t, "the length", check.Length(t, q), 0)
}

func TestAwkwardBodiesThatCanBeStoredAre(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[json.RawMessage](t)
	deep := strings.Repeat(`{"a":[`, 250) + strings.Repeat("]}", 250)
	for body, stored := range map[string]string{
		`"\ufffd"`:                     `"` + "\uFFFD" + `"`,
		`"\ud83d\ude00"`:               `"😀"`,
		`"\uD83D\uDE00\ud83d\ude00"`:   `"😀😀"`,
		`"\\u0000"`:                    `"\\u0000"`,
		`"\\\\u0000 \\ud800"`:          `"\\\\u0000 \\ud800"`,
		`"\\"`:                         `"\\"`,
		`"\"\u0041\/"`:                 `"\"A/"`,
		`"\u0001\u001f\u007f"`:         `"\u0001\u001f` + "\x7f" + `"`,
		` { "b" : 1 , "a" : [ ] } `:    `{"a": [], "b": 1}`,
		`null`:                         `null`,
		`""`:                           `""`,
		`0`:                            `0`,
		`-0.10`:                        `-0.10`,
		`12345678901234567890.0000001`: `12345678901234567890.0000001`,
		`1e1000`:                       "1" + strings.Repeat("0", 1000),
		deep:                           strings.NewReplacer(":[", ": [").Replace(deep),
	} {
		id := check.Send(t, q, json.RawMessage(body))
		m := check.ReadOne(t, q)
		check.Equal(t, "the id", m.ID, id)
		check.Equal(t, "the body", string(m.Body), stored)
		check.OK(t, q.Delete(t.Context(), m))
	}
	texts := pgtest.Queue[string](t)
	for _, text := range []string{"\uFFFD", "\uFFFDx", "", "\u2028", "\u0001", `\ufffd`, "\U0010FFFF"} {
		check.Send(t, texts, text)
		m := check.ReadOne(t, texts)
		check.Equal(t, "the text", m.Body, text)
		check.OK(t, texts.Delete(t.Context(), m))
	}
}

func TestNilBodyIsNullAndComesBackAsTheZeroValue(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[*check.Order](t)
	check.Send(t, q, nil)
	check.Equal(t, "the stored body", check.Value[string](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT message::text FROM {Q}")), "null")
	check.Equal(t, "the body", check.ReadOne(t, q).Body, nil)
}
