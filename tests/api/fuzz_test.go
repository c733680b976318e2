package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	binding "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Go refuses the same names as the server, and finds the same table.
func FuzzNames(f *testing.F) {
	for _, name := range append(check.GoodNames, badNames...) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		_, err := queue.New[int](pgtest.Pool(), name)
		if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			check.Is(t, err, queue.ErrInvalidName)
			return
		}
		_, refused := pgtest.Pool().Exec(t.Context(), `SELECT pgmq.validate_queue_name($1)`, name)
		if refused != nil {
			check.SQLState(t, refused, "P0001")
			check.Is(t, err, queue.ErrInvalidName)
			return
		}
		if err != nil { // some letters are longer in lower case, and Go reckons with all of them
			check.Contains(t, err.Error(), "61 bytes")
			return
		}
		found, err := db.New().Find(t.Context(), binding.New(name).Bind(pgtest.Pool()))
		check.OK(t, err)
		check.Equal(t, "the table", found.Name, check.Value[string](t, pgtest.Pool(), `SELECT pgmq.format_table_name($1, 'q')`, name))
	})
}

// The server holds the bodies that Go sends, and would refuse those that Go refuses.
func FuzzBodies(f *testing.F) {
	for _, body := range badBodies() {
		if raw, isRaw := body.(json.RawMessage); isRaw && len(raw) < 100 {
			f.Add([]byte(raw))
		}
	}
	for _, seed := range []string{`{"a": [1, "b", null]}`, `"\ud83d\ude00"`, `1e400000`, `-0.0`, `{"a":1,"a":2}`, `"<&>\u2028"`} {
		f.Add([]byte(seed))
	}
	q := pgtest.Queue[json.RawMessage](f)
	f.Fuzz(func(t *testing.T, body []byte) {
		const accepts = `SELECT $1::jsonb IS NOT NULL`
		id, err := q.Send(t.Context(), body)
		if err != nil {
			check.As[*queue.EncodeError](t, err)
			_, refused := pgtest.Pool().Exec(t.Context(), accepts, string(body))
			if refused == nil && !errors.Is(err, errNoJSON(body)) {
				t.Fatalf("refused %q, which the server takes: %v", body, err)
			}
			before := check.Length(t, q)
			_, err = q.SendBatch(t.Context(), []json.RawMessage{[]byte("1"), body, []byte("2")})
			if e := check.As[*queue.EncodeError](t, err); e.Index != 1 && e.Index != -1 {
				t.Fatalf("body %d of the batch is refused, not 1", e.Index)
			}
			check.Equal(t, "the length", check.Length(t, q), before)
			return
		}
		check.Equal(t, "the same value", check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT message = $2::jsonb FROM {Q} WHERE msg_id = $1`), id, string(body)), true)
		_, err = q.DeleteID(t.Context(), id)
		check.OK(t, err)
	})
}

// errNoJSON is the error of encoding/json for text that is no JSON, or nil.
func errNoJSON(body []byte) error {
	var raw json.RawMessage
	return json.Unmarshal(body, &raw)
}

// Every string that can be stored comes back as it was, in a body, as the name of
// a header, and as its value.
func FuzzStrings(f *testing.F) {
	for _, seed := range append(check.GoodNames, "", "\uFFFD", "\u2028<&>", "\x7f\x1f", "😀", "a\x00", "\xff", `\u0000`, "\xed\xa0\x80") {
		f.Add(seed)
	}
	q := pgtest.Queue[string](f)
	f.Fuzz(func(t *testing.T, text string) {
		id, err := q.Send(t.Context(), text, queue.Headers{text: text})
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			check.As[*queue.EncodeError](t, err)
			return
		}
		check.OK(t, err)
		m := check.Pop(t, q)
		check.Equal(t, "the id", m.ID, id)
		check.Equal(t, "the body", m.Body, text)
		check.Equal(t, "the header", m.Headers[text], any(text))
	})
}

// Go reads any message of other clients, or reports that it is no T.
func FuzzMessagesOfOthers(f *testing.F) {
	f.Add(`{"order_id": 1}`, `{"x-pgmq-dead-letter": {"reason": "max reads", "dead_at": "2026-11-24T00:00:00Z"}}`)
	f.Add(`{"order_id": "1"}`, `{"x-pgmq-dead-letter": 7}`)
	f.Add(`null`, `[1]`)
	f.Add(`[]`, `"x"`)
	q := pgtest.Queue[check.Order](f)
	f.Fuzz(func(t *testing.T, body, headers string) {
		var refused *pgconn.PgError
		if _, err := pgtest.Pool().Exec(t.Context(), `SELECT pgmq.send($1, $2::jsonb, $3::jsonb)`, q.Name(), body, headers); errors.As(err, &refused) {
			return // not even Postgres takes it
		}
		msgs, err := q.Read(t.Context(), 1)
		undecoded := queue.DecodeErrors(err)
		check.Equal(t, "messages, or errors instead", len(msgs)+len(undecoded), 1)
		for _, m := range msgs {
			check.OK(t, err)
			if m.RawHeaders() == nil {
				t.Fatalf("headers %q are gone", headers)
			}
			if d := m.Death(); d != nil && m.Headers["x-pgmq-dead-letter"] == nil {
				t.Fatalf("it died, says %+v, without the header", d)
			}
			check.OK(t, q.Delete(t.Context(), m))
		}
		for _, e := range undecoded {
			_, err := q.DeleteID(t.Context(), e.ID)
			check.OK(t, err)
		}
	})
}

// Options have their documented effect, or are refused.
func FuzzOptions(f *testing.F) {
	for _, n := range []int64{0, 1, -1, 1000, int64(time.Hour), 1 << 40, 1<<63 - 1, -1 << 63} {
		f.Add(n, n, n)
	}
	for _, year := range []int{-5000, 0, 1, 2262, 294_276, 294_277, 600_000} {
		f.Add(int64(time.Second), int64(time.Hour), time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	}
	q := pgtest.Queue[int](f)
	f.Fuzz(func(t *testing.T, delay, vt, at int64) {
		stored := func(id int64) time.Time {
			return check.Value[time.Time](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT vt FROM {Q} WHERE msg_id = $1`), id)
		}
		delayed, err := q.Send(t.Context(), 1, queue.Delay(delay))
		if delay < 0 {
			check.Is(t, err, queue.ErrInvalidOption)
		} else {
			check.OK(t, err)
			near(t, "delayed until", stored(delayed), check.ServerTime(t).Add(time.Duration(delay)))
		}

		when := time.Unix(at, 0)
		id, err := q.Send(t.Context(), 1, queue.At(when))
		if year := when.UTC().Year(); year < 1 || 294_276 < year {
			check.Is(t, err, queue.ErrInvalidOption)
		} else if check.OK(t, err); !when.IsZero() {
			near(t, "visible at", stored(id), when)
		}

		_, err = q.SetVTID(t.Context(), 0, id)
		check.OK(t, err)
		msgs, err := q.Read(t.Context(), 1, queue.VT(vt))
		if vt != 0 && vt < 1000 {
			check.Is(t, err, queue.ErrInvalidOption)
		} else {
			check.OK(t, err)
			for _, m := range msgs {
				near(t, "leased until", m.VisibleAt, check.ServerTime(t).Add(cmp.Or(time.Duration(vt), 30*time.Second)))
			}
		}
		_, err = q.DeleteID(t.Context(), delayed, id)
		check.OK(t, err)
	})
}

// near allows for the duration of calls.
func near(t testing.TB, what string, got, want time.Time) {
	t.Helper()
	if got.Sub(want).Abs() > time.Minute {
		t.Fatalf("%s %v, not %v", what, got, want)
	}
}
