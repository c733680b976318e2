package generics

import (
	"encoding"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

// validUTF8 reports whether every string that encoding/json finds in v is valid
// UTF-8. Call it only after v was encoded: for a value that contains itself it
// would not return.
func validUTF8(v any) bool {
	return validStrings(reflect.ValueOf(v))
}

func validStrings(v reflect.Value) bool {
	if !v.IsValid() || (v.Kind() == reflect.Pointer && v.IsNil()) {
		return true
	}
	if _, ok := as[json.Marshaler](v); ok {
		return true // a Marshaler decides its own output
	}
	if m, ok := as[encoding.TextMarshaler](v); ok {
		text, err := m.MarshalText()
		return err != nil || utf8.Valid(text)
	}
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || validStrings(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return true // base64
		}
		for i := range v.Len() {
			if !validStrings(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			key := entry.Key()
			if key.Kind() == reflect.String && !utf8.ValidString(key.String()) {
				return false
			}
			if key.Kind() != reflect.String && !validStrings(key) || !validStrings(entry.Value()) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Tag.Get("json") == "-" || (!field.IsExported() && !field.Anonymous) {
				continue
			}
			if !validStrings(v.Field(i)) {
				return false
			}
		}
	}
	return true
}

// as returns v as an M where encoding/json would find one: v itself, or its
// address if it has one.
func as[M any](v reflect.Value) (m M, ok bool) {
	if !v.CanInterface() {
		return m, false
	}
	if m, ok = v.Interface().(M); !ok && v.CanAddr() {
		m, ok = v.Addr().Interface().(M)
	}
	return m, ok
}
