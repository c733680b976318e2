// Package jsonb knows which JSON a jsonb of Postgres can hold.
package jsonb

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// MaxBytes is the longest JSON that Postgres can hold in one jsonb.
const MaxBytes = 256 << 20

// Check returns why valid JSON cannot be a jsonb, or nil. Postgres would find the
// same, but not say in which message of a batch, and abort the transaction.
//
// Source: "JSON Types" in the manual of PostgreSQL, on \u0000, surrogate pairs
// and the encoding; JENTRY_OFFLENMASK in its jsonb.h for the size.
func Check(raw json.RawMessage) error {
	if len(raw) > MaxBytes {
		return errors.New("over 256 MiB of JSON")
	}
	if !utf8.Valid(raw) {
		return errors.New("not valid UTF-8")
	}
	for rest := []byte(raw); ; {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 {
			return nil
		}
		rest = rest[i:]
		unit, ok := escapedUnit(rest)
		switch {
		case !ok:
			rest = rest[2:]
			continue
		case unit == 0:
			return errors.New("a string contains NUL (\\u0000)")
		case 0xD800 <= unit && unit < 0xDC00:
			low, ok := escapedUnit(rest[6:])
			if !ok || low < 0xDC00 || 0xE000 <= low {
				return errors.New("a string contains half of a surrogate pair")
			}
			rest = rest[6:]
		case 0xDC00 <= unit && unit < 0xE000:
			return errors.New("a string contains half of a surrogate pair")
		}
		rest = rest[6:]
	}
}

// escapedUnit returns the UTF-16 code unit if s begins with \uXXXX.
func escapedUnit(s []byte) (uint64, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return unit, err == nil
}
