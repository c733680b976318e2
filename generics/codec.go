package generics

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ErrUTF8 is the error of a string that is not valid UTF-8.
var ErrUTF8 = errors.New("a string is not valid UTF-8")

// JSON encodes and decodes values of type T with encoding/json. A type that
// wants another form implements [json.Marshaler] and [json.Unmarshaler]; both
// are honoured with value and with pointer receivers.
type JSON[T any] struct{}

// Encode returns v as JSON. Its errors are those of [json.Marshal], and ErrUTF8
// where json.Marshal would replace invalid bytes and so lose them.
func (JSON[T]) Encode(v T) (json.RawMessage, error) {
	raw, err := json.Marshal(&v) // by pointer, so that pointer receivers count
	if err != nil {
		return nil, err
	}
	// json.Marshal writes this escape for bytes that it could not keep. A
	// Marshaler may write it as well, so look at the value before refusing it.
	if bytes.Contains(raw, []byte(`\ufffd`)) && !validUTF8(&v) {
		return nil, ErrUTF8
	}
	return raw, nil
}

// Decode returns the value that raw holds. Empty input, SQL's NULL, is the zero
// value, as JSON's null is. Its errors are those of [json.Unmarshal].
func (JSON[T]) Decode(raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	err := json.Unmarshal(raw, &v)
	return v, err
}
