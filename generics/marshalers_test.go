package generics_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/pgmq-go/pgmq/generics"
)

// spelled is a TextMarshaler that writes its bytes as they are.
type spelled string

func (s spelled) MarshalText() ([]byte, error) { return []byte(s), nil }

// byPointer is a Marshaler only where encoding/json can take its address.
type byPointer struct{ Text string }

func (p *byPointer) MarshalJSON() ([]byte, error) { return json.Marshal("by pointer") }

// encoding/json replaces invalid bytes of a TextMarshaler as well.
func TestInvalidUTF8OfATextMarshalerIsRefused(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"value":  spelled("\xff"),
		"field":  struct{ S spelled }{"\xff"},
		"key":    map[spelled]int{"\xff": 1},
		"slice":  []spelled{"fine", "\xff"},
		"behind": []any{new(spelled("\xff"))},
	} {
		if raw, err := (generics.JSON[any]{}).Encode(v); !errors.Is(err, generics.ErrUTF8) {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
}

// The values of maps and interfaces have no address. So encoding/json writes
// their fields and does not call a Marshaler with a pointer receiver.
func TestInvalidUTF8IsRefusedWhereAPointerMarshalerIsNotCalled(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"map":       map[string]byPointer{"a": {"\xff"}},
		"interface": byPointer{"\xff"},
		"array":     map[string][1]byPointer{"a": {{"\xff"}}},
	} {
		if raw, err := (generics.JSON[any]{}).Encode(v); !errors.Is(err, generics.ErrUTF8) {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
	raw, err := generics.JSON[any]{}.Encode([]byPointer{{"\xff"}}) // elements of a slice have an address
	if err != nil || string(raw) != `["by pointer"]` {
		t.Errorf("slice: %s, %v", raw, err)
	}
}

// encoding/json does not write these strings, so it cannot lose bytes of them.
// The escape makes Encode check the value.
func TestStringsThatAreNotWrittenDoNotMatter(t *testing.T) {
	t.Parallel()
	escape := json.RawMessage(`"\ufffd"`)
	for name, v := range map[string]any{
		"left out": struct {
			A json.RawMessage
			B string `json:"-"`
		}{escape, "\xff"},
		"unexported": struct {
			A json.RawMessage
			b string
		}{escape, "\xff"},
		"marshaler": map[string]any{"a": escape, "b": &byPointer{"\xff"}},
		"bytes":     map[string]any{"a": escape, "b": []byte("\xff")},
	} {
		if raw, err := (generics.JSON[any]{}).Encode(v); err != nil {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
}
