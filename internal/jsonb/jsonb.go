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
	if grows(raw) {
		return errors.New("over 256 MiB of JSON, when its numbers are written out without exponents")
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

// maxExponent is about the largest exponent that a numeric of Postgres has.
const maxExponent = 131_072 + 16_383

// grows reports whether raw, which is valid, is too long when it is written out:
// jsonb keeps 1e131071 in a few bytes, and writes it with all its digits. Neither
// the server nor a client could read it then.
func grows(raw []byte) bool {
	room := MaxBytes - len(raw)
	// A search for text that looks like an exponent, in strings too, is faster.
	upper := 0
	for _, letter := range []byte("eE") {
		for rest := raw; upper <= room; {
			i := bytes.IndexByte(rest, letter)
			if i < 0 {
				break
			}
			if i > 0 && isDigit(rest[i-1]) {
				upper += exponent(rest[i+1:])
			}
			rest = rest[i+1:]
		}
	}
	if upper <= room {
		return false
	}
	inString := false
	for i := 0; i < len(raw) && room >= 0; i++ {
		switch c := raw[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case !inString && (c == 'e' || c == 'E') && i > 0 && isDigit(raw[i-1]):
			room -= exponent(raw[i+1:])
		}
	}
	return room < 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// exponent returns the absolute exponent that s begins with, up to the largest.
func exponent(s []byte) (n int) {
	for i, c := range s {
		switch {
		case i == 0 && (c == '+' || c == '-'):
		case isDigit(c):
			n = min(10*n+int(c-'0'), maxExponent)
		default:
			return n
		}
	}
	return n
}

// escapedUnit returns the UTF-16 code unit if s begins with \uXXXX.
func escapedUnit(s []byte) (uint64, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return unit, err == nil
}
