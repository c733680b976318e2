package generics

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ErrUTF8 is the error of a string that is not valid UTF-8.
var ErrUTF8 = errors.New("a string is not valid UTF-8")

// JSON encodes and decodes values of type T with encoding/json. To have another
// form, a type implements [json.Marshaler] and [json.Unmarshaler], with value or
// pointer receivers.
type JSON[T any] struct{}

// Encode returns v as JSON. Its errors are those of [json.Marshal], and ErrUTF8
// for a string with invalid bytes, which json.Marshal would replace and so lose.
func (JSON[T]) Encode(v T) (json.RawMessage, error) {
	raw, err := json.Marshal(&v) // by pointer, so that pointer receivers count
	if err != nil {
		return nil, err
	}
	// json.Marshal writes this escape in place of invalid bytes. A Marshaler may
	// write it as well, so check the value before refusing it.
	if bytes.Contains(raw, []byte(`\ufffd`)) && !validUTF8(&v) {
		return nil, ErrUTF8
	}
	return raw, nil
}

// Decode returns the value of the JSON in raw. Empty input, which is SQL's NULL,
// returns the zero value, as JSON's null does. The errors are those of
// [json.Unmarshal].
func (JSON[T]) Decode(raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	err := json.Unmarshal(raw, &v)
	return v, err
}
