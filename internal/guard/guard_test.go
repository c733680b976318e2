package guard

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// broken is an error whose methods fail on nil.
type broken struct{ text string }

func (b *broken) Error() string { return b.text }

// wrapping is an error whose Error works on nil and whose Unwrap does not.
type wrapping struct{ err error }

func (w *wrapping) Error() string { return "wrapping" }
func (w *wrapping) Unwrap() error { return w.err }

func TestCallTurnsPanicsIntoErrors(t *testing.T) {
	fine := errors.New("fine")
	for name, f := range map[string]func() error{
		"a panic":             func() error { panic("paper jam") },
		"a nil panic":         func() error { panic(nil) },
		"an error that fails": func() error { var b *broken; return b },
		"and when unwrapped":  func() error { var w *wrapping; return w },
	} {
		p, ok := errors.AsType[*Panic](Call(f))
		if !ok || !strings.Contains(string(p.Stack), "TestCall") {
			t.Errorf("%s: it is %v", name, p)
		}
	}
	if err := Call(func() error { return fine }); err != fine { //nolint:errorlint // itself
		t.Error(err)
	}
	if err := Call(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestApartOutlivesGoexit(t *testing.T) {
	if err := Apart(func() error { runtime.Goexit(); return nil }); !errors.Is(err, ErrNoReturn) {
		t.Error(err)
	}
	if _, ok := errors.AsType[*Panic](Apart(func() error { panic(1) })); !ok {
		t.Error("no panic")
	}
}
