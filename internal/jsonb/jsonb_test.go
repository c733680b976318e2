package jsonb_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/jsonb"
)

func TestCheckKnowsWhatJsonbCannotHold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"text"`:                "",
		`"\\u0000"`:             "",
		`"\u0000"`:              "NUL",
		`{"\u0000": 1}`:         "NUL",
		`"\ud83d\ude00 \ud83d"`: "surrogate",
		`"\ud83d\ude00"`:        "",
		`"\ude00"`:              "surrogate",
		`"\ud83d\ud83d"`:        "surrogate",
		"\"\xff\"":              "UTF-8",
	} {
		switch err := jsonb.Check(json.RawMessage(text)); {
		case err == nil && want != "":
			t.Errorf("%q passes", text)
		case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, not %q", text, err, want)
		}
	}
}
