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
		"[" + strings.Repeat("1e131071,", 2100) + "0]":        "256 MiB",
		"[" + strings.Repeat("-1.5E-16383, ", 20_000) + "0]":  "256 MiB",
		"[" + strings.Repeat("1e+131071,", 9000) + "0]":       "256 MiB",
		"[" + strings.Repeat("1e131071,", 1000) + "0]":        "",
		`["` + strings.Repeat(`\"1e131071,`, 9000) + `"]`:     "", // text
		"[" + strings.Repeat("1.5e10,", 9000) + "0]":          "",
		`{"` + strings.Repeat("1e131071", 9000) + `": "1e5"}`: "",
		"\"\xff\"": "UTF-8",
	} {
		switch err := jsonb.Check(json.RawMessage(text)); {
		case err == nil && want != "":
			t.Errorf("%.100q passes", text)
		case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%.100q: %v, not %q", text, err, want)
		}
	}
}
