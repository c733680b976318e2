package generics_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

// celsius is a Marshaler with a pointer receiver.
type celsius float64

func (c *celsius) MarshalJSON() ([]byte, error) { return []byte(`{"celsius":1}`), nil }

func encode[T any](t *testing.T, v T) string {
	t.Helper()
	raw, err := generics.JSON[T]{}.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestMarshalersAreHonoured(t *testing.T) {
	t.Parallel()
	if got := encode(t, celsius(20)); got != `{"celsius":1}` {
		t.Error(got)
	}
	if got := encode(t, json.RawMessage(`{"a": "\ufffd"}`)); got != `{"a":"\ufffd"}` {
		t.Error(got)
	}
	if got := encode(t, "�"); got != `"�"` {
		t.Error(got)
	}
}

func TestInvalidUTF8IsRefusedWhereverItIs(t *testing.T) {
	t.Parallel()
	const bad = "a\xffb"
	pointer := bad
	for _, v := range []any{
		bad, &pointer,
		[]string{"ok", bad},
		map[string]int{bad: 1},
		map[string]any{"k": []any{bad}},
		struct{ S *string }{&pointer},
		struct{ Inner struct{ S string } }{struct{ S string }{bad}},
	} {
		_, err := generics.JSON[any]{}.Encode(v)
		if !errors.Is(err, generics.ErrUTF8) {
			t.Errorf("%#v: %v", v, err)
		}
	}
	if got := encode(t, []byte(bad)); got != `"Yf9i"` {
		t.Error(got)
	}
}

func TestNoInputIsTheZeroValue(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null"} {
		if v, err := (generics.JSON[*int]{}).Decode(json.RawMessage(raw)); v != nil || err != nil {
			t.Errorf("%q: %v, %v", raw, v, err)
		}
	}
	if _, err := (generics.JSON[int]{}).Decode(json.RawMessage(`"x"`)); err == nil {
		t.Error("a string is an int")
	}
}

func TestPollTriesOnceWithoutALimit(t *testing.T) {
	t.Parallel()
	tries := 0
	err := generics.Poll(t.Context(), 0, func(context.Context) (bool, error) { tries++; return false, nil })
	if tries != 1 || err != nil {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func TestPollPausesLongerAndLongerUpToTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		err := generics.Poll(t.Context(), 2*time.Second, func(context.Context) (bool, error) {
			at = append(at, time.Since(start))
			return false, nil
		})
		if err != nil || at[0] != 0 || at[len(at)-1] != 2*time.Second {
			t.Fatal(err, at)
		}
		for i := range at[1 : len(at)-1] {
			if pause := at[i+1] - at[i]; pause > 250*time.Millisecond || pause < 2*time.Millisecond {
				t.Errorf("a pause of %v", pause)
			}
		}
		if len(at) > 25 {
			t.Errorf("%d tries in 2 s", len(at))
		}
	})
}

func TestPollEndsWithSuccessErrorOrContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("failure")
		tries := 0
		err := generics.Poll(t.Context(), time.Hour, func(context.Context) (bool, error) { tries++; return tries == 5, nil })
		if tries != 5 || err != nil {
			t.Errorf("%d tries, %v", tries, err)
		}
		err = generics.Poll(t.Context(), time.Hour, func(context.Context) (bool, error) { return false, failure })
		if !errors.Is(err, failure) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = generics.Poll(ctx, time.Hour, func(context.Context) (bool, error) { return false, nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
