package api

import (
	"math"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestDelayHidesAMessageForItsLength(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	const delay = 300 * time.Millisecond
	for _, id := range append(check.SendBatch(t, q, []int{1, 2}, queue.Delay(delay)), check.Send(t, q, 3, queue.Delay(delay))) {
		hidden := check.Value[time.Duration](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT vt - enqueued_at FROM {Q} WHERE msg_id = $1"), id)
		if hidden < delay || hidden > delay+check.Patience {
			t.Errorf("message %d is hidden for %v, not %v", id, hidden, delay)
		}
	}
	seen := 0
	for seen < 3 {
		msgs := check.Read(t, q, 3, queue.WaitFor(check.Patience))
		if len(msgs) == 0 {
			t.Fatal("delayed messages did not turn up")
		}
		for _, m := range msgs {
			readAt := check.Value[time.Time](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT last_read_at FROM {Q} WHERE msg_id = $1"), m.ID)
			if waited := readAt.Sub(m.EnqueuedAt); waited < delay {
				t.Errorf("message %d was read after %v, before its delay of %v", m.ID, waited, delay)
			}
		}
		seen += len(msgs)
	}
}

func TestLongestDelayIsTakenAsItIs(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 1, queue.Delay(math.MaxInt64))
	check.ReadNone(t, q)
	years := check.Value[float64](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT extract(epoch FROM vt - enqueued_at) / 365.25 / 86400 FROM {Q}"))
	if years < 292 || years > 293 {
		t.Errorf("hidden for %v years, not 292", years)
	}
}

func TestAtHidesAMessageUntilThen(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[string](t)
	visibleAt := check.Tables(q.Name(), "SELECT vt FROM {Q} WHERE msg_id = $1")

	tomorrow := check.ServerTime(t).Add(24 * time.Hour).Truncate(time.Microsecond)
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("far east", 14*60*60), time.FixedZone("odd", -(3*60*60 + 17*60 + 5))} {
		id := check.Send(t, q, "tomorrow", queue.At(tomorrow.In(zone)))
		if at := check.Value[time.Time](t, pgtest.Pool(), visibleAt, id); !at.Equal(tomorrow) {
			t.Errorf("visible at %v, not at %v", at, tomorrow)
		}
	}
	check.ReadNone(t, q)

	past := check.Send(t, q, "yesterday", queue.At(tomorrow.Add(-48*time.Hour)))
	now := check.Send(t, q, "now", queue.At{})
	msgs := check.Read(t, q, 10)
	check.Equal(t, "the number of messages", len(msgs), 2)
	check.Equal(t, "the first", msgs[0].ID, past)
	check.Equal(t, "the second", msgs[1].ID, now)
}

func TestHeadersTravelBesideEachMessage(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 0, queue.Headers{"trace": "abc", "n": 1, "deep": map[string]any{"list": []int{1, 2}}})
	check.SendBatch(t, q, []int{1, 2, 3}, queue.Headers{"trace": "abc", "n": 1, "deep": map[string]any{"list": []int{1, 2}}})
	msgs := check.Read(t, q, 10)
	check.Equal(t, "the number of messages", len(msgs), 4)
	for _, m := range msgs {
		check.Equal(t, "the headers", string(m.RawHeaders()), `{"n": 1, "deep": {"list": [1, 2]}, "trace": "abc"}`)
		check.Equal(t, "one header", m.Headers["trace"], any("abc"))
		check.Equal(t, "a number", m.Headers["n"], any(1.0))
	}
}

func TestNoHeadersAreNull(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	null := check.Tables(q.Name(), "SELECT headers IS NULL FROM {Q} WHERE msg_id = $1")
	for _, id := range append(check.SendBatch(t, q, []int{1, 2}), check.Send(t, q, 3), check.Send(t, q, 4, queue.Headers(nil))) {
		check.Equal(t, "whether headers are NULL", check.Value[bool](t, pgtest.Pool(), null, id), true)
	}
	for _, m := range check.Read(t, q, 4) {
		if m.Headers != nil || m.RawHeaders() != nil {
			t.Errorf("message %d has headers %v, %q", m.ID, m.Headers, m.RawHeaders())
		}
	}
	check.Send(t, q, 5, queue.Headers{})
	m := check.ReadOne(t, q)
	if m.Headers == nil || len(m.Headers) != 0 {
		t.Errorf("empty headers came back as %#v", m.Headers)
	}
}

func TestBadSendOptionsSendNothing(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	at := queue.At(time.Now())
	for name, opts := range map[string][]queue.SendOption{
		"negative Delay":      {queue.Delay(-1)},
		"lowest Delay":        {queue.Delay(math.MinInt64)},
		"At and Delay":        {at, queue.Delay(time.Second)},
		"Delay and At":        {queue.Delay(time.Second), at},
		"nil":                 {nil},
		"nil after an option": {queue.Delay(time.Second), nil},
	} {
		id, err := q.Send(t.Context(), 1, opts...)
		check.Is(t, err, queue.ErrInvalidOption)
		check.Equal(t, name+": the id", id, 0)
		ids, err := q.SendBatch(t.Context(), []int{1, 2}, opts...)
		check.Is(t, err, queue.ErrInvalidOption)
		check.Equal(t, name+": the number of ids", len(ids), 0)
		_, err = q.SendBatch(t.Context(), nil, opts...)
		check.Is(t, err, queue.ErrInvalidOption)
	}
	check.Equal(t, "the length", check.Length(t, q), 0)

	// A zero option is not set, so it conflicts with nothing.
	check.Send(t, q, 1, at, queue.Delay(0))
	check.Send(t, q, 1, queue.At{}, queue.Delay(time.Hour))
}
