package generics

import (
	"encoding"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// validUTF8 tells whether every string that encoding/json would find in v is
// valid UTF-8. It must be asked only after v was encoded: a value that contains
// itself would never end.
func validUTF8(v any) bool {
	return validStrings(reflect.ValueOf(v))
}

func validStrings(v reflect.Value) bool {
	if !v.IsValid() || marshalsItself(v.Type()) || marshalsItself(reflect.PointerTo(v.Type())) {
		return true // what a Marshaler wrote is its own choice
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
			if !validStrings(entry.Key()) || !validStrings(entry.Value()) {
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

func marshalsItself(t reflect.Type) bool {
	return t.Implements(marshaler) || t.Implements(textMarshaler)
}
