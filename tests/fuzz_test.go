package tests

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
)

// Go refuses what the server refuses, and means the same table.
func FuzzNames(f *testing.F) {
	for _, name := range append(goodNames, badNames...) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		_, err := queue.New[int](pgtest.Pool(), name)
		if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			is(t, err, queue.ErrName)
			return
		}
		_, refused := pgtest.Pool().Exec(t.Context(), `SELECT pgmq.validate_queue_name($1)`, name)
		if refused != nil {
			sqlState(t, refused, "P0001")
			is(t, err, queue.ErrName)
			return
		}
		if err != nil { // some letters are longer in lower case, and Go reckons with all of them
			contains(t, err.Error(), "61 bytes")
			return
		}
		found, err := db.New().Find(t.Context(), binding.New(name).Bind(pgtest.Pool()))
		ok(t, err)
		equal(t, "the table", found.Name, value[string](t, pgtest.Pool(), `SELECT pgmq.format_table_name($1, 'q')`, name))
	})
}

// What Go sends is what the server holds, and what it refuses the server would
// refuse.
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
			as[*queue.EncodeError](t, err)
			_, refused := pgtest.Pool().Exec(t.Context(), accepts, string(body))
			if refused == nil && !errors.Is(err, errNoJSON(body)) {
				t.Fatalf("refused %q, which the server takes: %v", body, err)
			}
			before := length(t, q)
			_, err = q.SendBatch(t.Context(), []json.RawMessage{[]byte("1"), body, []byte("2")})
			if e := as[*queue.EncodeError](t, err); e.Index != 1 && e.Index != -1 {
				t.Fatalf("body %d of the batch is refused, not 1", e.Index)
			}
			equal(t, "the length", length(t, q), before)
			return
		}
		equal(t, "the same value", value[bool](t, pgtest.Pool(), tables(q.Name(), `SELECT message = $2::jsonb FROM {Q} WHERE msg_id = $1`), id, string(body)), true)
		_, err = q.DeleteID(t.Context(), id)
		ok(t, err)
	})
}

// errNoJSON is the error of encoding/json for what is no JSON, or nil.
func errNoJSON(body []byte) error {
	var raw json.RawMessage
	return json.Unmarshal(body, &raw)
}

// Every string that can be stored comes back as it was, in a body, as the name of
// a header, and as its value.
func FuzzStrings(f *testing.F) {
	for _, seed := range append(goodNames, "", "\uFFFD", "\u2028<&>", "\x7f\x1f", "😀", "a\x00", "\xff", `\u0000`, "\xed\xa0\x80") {
		f.Add(seed)
	}
	q := pgtest.Queue[string](f)
	f.Fuzz(func(t *testing.T, text string) {
		id, err := q.Send(t.Context(), text, queue.Headers{text: text})
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			as[*queue.EncodeError](t, err)
			return
		}
		ok(t, err)
		m, err := q.Pop(t.Context())
		ok(t, err)
		equal(t, "the id", m.ID, id)
		equal(t, "the body", m.Body, text)
		equal(t, "the header", m.Headers[text], any(text))
	})
}

// What other clients send is read, or told to be no T, whatever it is.
func FuzzMessagesOfOthers(f *testing.F) {
	f.Add(`{"order_id": 1}`, `{"x-pgmq-dead-letter": {"reason": "max reads", "dead_at": "2026-11-24T00:00:00Z"}}`)
	f.Add(`{"order_id": "1"}`, `{"x-pgmq-dead-letter": 7}`)
	f.Add(`null`, `[1]`)
	f.Add(`[]`, `"x"`)
	q := pgtest.Queue[Order](f)
	f.Fuzz(func(t *testing.T, body, headers string) {
		var refused *pgconn.PgError
		if _, err := pgtest.Pool().Exec(t.Context(), `SELECT pgmq.send($1, $2::jsonb, $3::jsonb)`, q.Name(), body, headers); errors.As(err, &refused) {
			return // not even Postgres takes it
		}
		msgs, err := q.Read(t.Context(), 1)
		undecoded := queue.DecodeErrors(err)
		equal(t, "messages, or errors instead", len(msgs)+len(undecoded), 1)
		for _, m := range msgs {
			ok(t, err)
			if m.RawHeaders() == nil {
				t.Fatalf("headers %q are gone", headers)
			}
			if d := m.Death(); d != nil && m.Headers["x-pgmq-dead-letter"] == nil {
				t.Fatalf("it died, says %+v, without the header", d)
			}
			ok(t, q.Delete(t.Context(), m))
		}
		for _, e := range undecoded {
			_, err := q.DeleteID(t.Context(), e.ID)
			ok(t, err)
		}
	})
}

// Options mean what they say, or are refused.
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
			return value[time.Time](t, pgtest.Pool(), tables(q.Name(), `SELECT vt FROM {Q} WHERE msg_id = $1`), id)
		}
		delayed, err := q.Send(t.Context(), 1, queue.Delay(delay))
		if delay < 0 {
			is(t, err, queue.ErrOption)
		} else {
			ok(t, err)
			near(t, "delayed until", stored(delayed), serverTime(t).Add(time.Duration(delay)))
		}

		when := time.Unix(at, 0)
		id, err := q.Send(t.Context(), 1, queue.At(when))
		if year := when.UTC().Year(); year < 1 || 294_276 < year {
			is(t, err, queue.ErrOption)
		} else if ok(t, err); !when.IsZero() {
			near(t, "visible at", stored(id), when)
		}

		_, err = q.SetVTID(t.Context(), 0, id)
		ok(t, err)
		msgs, err := q.Read(t.Context(), 1, queue.VT(vt))
		if vt != 0 && vt < 1000 {
			is(t, err, queue.ErrOption)
		} else {
			ok(t, err)
			for _, m := range msgs {
				near(t, "leased until", m.VisibleAt, serverTime(t).Add(cmp.Or(time.Duration(vt), 30*time.Second)))
			}
		}
		_, err = q.DeleteID(t.Context(), delayed, id)
		ok(t, err)
	})
}

// near allows for what calls take.
func near(t testing.TB, what string, got, want time.Time) {
	t.Helper()
	if got.Sub(want).Abs() > patience {
		t.Fatalf("%s %v, not %v", what, got, want)
	}
}
