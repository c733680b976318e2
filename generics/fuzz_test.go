package generics_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/pgmq-go/pgmq/generics"
)

type everyKind struct {
	Text    string         `json:"text"`
	Number  float64        `json:"number"`
	Whole   int64          `json:"whole"`
	Bytes   []byte         `json:"bytes"`
	List    []any          `json:"list"`
	Map     map[string]any `json:"map"`
	Next    *everyKind     `json:"next"`
	Ignored string         `json:"-"`
}

// A decoded value encodes again, and decodes to an equal value.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `0`, `-1e308`, `"\ud800"`, `[1, [2, {}]]`, `{"": "\u0000"}`, `{"text": "a", "next": {"bytes": "AA=="}, "whole": 9007199254740993}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		roundTrip[string](t, raw)
		roundTrip[float64](t, raw)
		roundTrip[any](t, raw)
		roundTrip[map[string]string](t, raw)
		roundTrip[everyKind](t, raw)
		roundTrip[*everyKind](t, raw)
	})
}

func roundTrip[T any](t *testing.T, raw []byte) {
	t.Helper()
	var codec generics.JSON[T]
	v, err := codec.Decode(raw)
	if err != nil {
		return
	}
	again, err := codec.Encode(v)
	if err != nil {
		t.Fatalf("%q decodes to %#v, which does not encode: %v", raw, v, err)
	}
	if back, err := codec.Decode(again); err != nil || !reflect.DeepEqual(back, v) {
		t.Fatalf("%q is %#v, and then %#v (%v)", raw, v, back, err)
	}
}

// Encode keeps or refuses a string, wherever it is in the value.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{"", "\uFFFD", "\xff", "\xed\xa0\x80", "<&>\u2028", "\uFFFD\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := everyKind{Text: text, List: []any{text}, Map: map[string]any{text: text}, Next: &everyKind{Text: text}, Ignored: "\xff"}
		raw, err := generics.JSON[everyKind]{}.Encode(v)
		if !utf8.ValidString(text) {
			if !errors.Is(err, generics.ErrUTF8) {
				t.Fatalf("%q: the error is %v", text, err)
			}
			return
		}
		v.Ignored = ""
		var back everyKind
		if err := errors.Join(err, json.Unmarshal(raw, &back)); err != nil || !reflect.DeepEqual(back, v) {
			t.Fatalf("%q became %q (%v)", text, raw, err)
		}
	})
}
