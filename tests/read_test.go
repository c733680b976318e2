package tests

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestReadIsOldestFirstAndHidesForTheVT(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 10))
	before := serverTime(t)
	first := read(t, q, 4, queue.VT(time.Hour))
	if !slices.Equal(ids(first), sent[:4]) {
		t.Fatalf("read %v, not %v", ids(first), sent[:4])
	}
	for _, m := range first {
		equal(t, "Reads", m.Reads, 1)
		if m.VisibleAt.Before(before.Add(time.Hour)) || m.VisibleAt.After(serverTime(t).Add(time.Hour)) {
			t.Fatalf("VisibleAt is %v, not an hour after %v", m.VisibleAt, before)
		}
		if m.EnqueuedAt.After(before) {
			t.Fatalf("EnqueuedAt is %v, after %v", m.EnqueuedAt, before)
		}
	}
	rest := read(t, q, 100)
	if !slices.Equal(ids(rest), sent[4:]) {
		t.Fatalf("then read %v, not %v", ids(rest), sent[4:])
	}
	readNone(t, q)
}

func TestAMessageThatWasNotSettledComesBack(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	id := send(t, q, Order{ID: 1})
	for reads := 1; reads <= 3; reads++ {
		m := readOne(t, q, queue.VT(10*time.Millisecond), queue.Wait(patience))
		equal(t, "ID", m.ID, id)
		equal(t, "Reads", m.Reads, reads)
	}
}

func TestReadWaitsForAMessage(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	got := make(chan []*queue.Message[Order])
	go func() {
		msgs, err := q.Read(context.Background(), 1, queue.Wait(patience))
		if err != nil {
			t.Error(err)
		}
		got <- msgs
	}()
	id := send(t, q, Order{})
	equal(t, "what was waited for", (<-got)[0].ID, id)

	start := time.Now()
	if msgs := read(t, q, 1, queue.Wait(100*time.Millisecond)); len(msgs) > 0 || time.Since(start) < 100*time.Millisecond {
		t.Fatalf("%d messages after %v", len(msgs), time.Since(start))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := q.Read(ctx, 1, queue.Wait(patience))
	is(t, err, context.DeadlineExceeded)
}

func TestReadRefusesBadArguments(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	for _, n := range []int{0, -1, 1 << 40} {
		_, err := q.Read(t.Context(), n)
		is(t, err, queue.ErrOption)
	}
	for _, opt := range []queue.ReadOption{queue.VT(-1), queue.VT(1), queue.Wait(-1), nil} {
		_, err := q.Read(t.Context(), 1, opt)
		is(t, err, queue.ErrOption)
	}
}

func TestABodyThatDoesNotDecodeLeavesItsNeighboursUnharmed(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES
		(now(), '{"order_id": 1}'), (now(), '"s3cret"'), (now(), '{"order_id": 3}'), (now(), '{"order_id": "s3cret"}')`))
	msgs, err := q.Read(t.Context(), 10)
	if !slices.Equal(ids(msgs), []int64{1, 3}) {
		t.Fatalf("delivered %v", ids(msgs))
	}
	equal(t, "the first DecodeError", as[*queue.DecodeError](t, err).ID, 2)
	bad := queue.DecodeErrors(err)
	equal(t, "how many", len(bad), 2)
	equal(t, "raw", string(bad[0].Raw), `"s3cret"`)
	equal(t, "id", bad[1].ID, 4)
	as[*json.UnmarshalTypeError](t, err)
	if strings.Contains(err.Error(), "s3cret") {
		t.Fatalf("the error shows a payload: %v", err)
	}
	equal(t, "messages kept", length(t, q), 4)
	archived, err := q.ArchiveID(t.Context(), bad[0].ID, bad[1].ID)
	ok(t, err)
	equal(t, "archived", len(archived), 2)
}

func TestMessagesOfAnyClientAreRead(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[any](t)
	bodies := []string{`'{"a": [1, null]}'`, `'[]'`, `'"text"'`, `'12345678901234567890.5'`, `'true'`, `'null'`, `NULL`}
	headers := []string{`'{"k": 1}'`, `'[1, 2]'`, `'"h"'`, `'7'`, `'false'`, `'null'`, `NULL`}
	for i := range bodies {
		for _, h := range headers {
			exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message, headers) VALUES (now(), `+bodies[i]+`, `+h+`)`))
		}
	}
	msgs := read(t, q, 100)
	equal(t, "messages", len(msgs), len(bodies)*len(headers))
	for i, m := range msgs {
		if i%7 == 0 && m.Headers["k"] != 1.0 || i%7 != 0 && m.Headers != nil {
			t.Fatalf("headers %s became %v", headers[i%7], m.Headers)
		}
		want := strings.Trim(headers[i%7], "'")
		if want == "NULL" {
			want = ""
		}
		equal(t, "RawHeaders", string(m.RawHeaders()), want)
		if i/7 >= 5 && m.Body != nil {
			t.Fatalf("%s became %v", bodies[i/7], m.Body)
		}
	}
	ok(t, q.Delete(t.Context(), msgs...))
}

func TestPopRemovesTheOldest(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sendBatch(t, q, []Order{{ID: 1}, {ID: 2}})
	for want := int64(1); want <= 2; want++ {
		m, err := q.Pop(t.Context())
		ok(t, err)
		equal(t, "popped", m.Body.ID, want)
		equal(t, "Reads", m.Reads, 0)
	}
	_, err := q.Pop(t.Context())
	is(t, err, queue.ErrEmpty)
	equal(t, "messages left", length(t, q), 0)
}

func TestPopPutsWhatDoesNotDecodeIntoTheArchive(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message, headers) VALUES (now(), '"x"', '[1]')`))
	send(t, q, Order{ID: 2})
	_, err := q.Pop(t.Context())
	equal(t, "DecodeError", as[*queue.DecodeError](t, err).ID, 1)
	equal(t, "in the archive", value[string](t, pgtest.Pool(), tables(q.Name(), `SELECT msg_id || ' ' || message || ' ' || headers FROM {A}`)), `1 "x" [1]`)
	m, err := q.Pop(t.Context())
	ok(t, err)
	equal(t, "the neighbour", m.Body.ID, 2)
}

func TestErrorsSayWhereTheyHappened(t *testing.T) {
	t.Parallel()
	q := open[Order](t, pgtest.Pool(), "no such")
	for op, call := range map[string]func() error{
		"send":       func() error { _, err := q.Send(t.Context(), Order{}); return err },
		"send batch": func() error { _, err := q.SendBatch(t.Context(), []Order{{}}); return err },
		"read":       func() error { _, err := q.Read(t.Context(), 1); return err },
		"pop":        func() error { _, err := q.Pop(t.Context()); return err },
		"delete":     func() error { return q.Delete(t.Context(), &queue.Message[Order]{ID: 1}) },
		"purge":      func() error { _, err := queue.Purge(t.Context(), pgtest.Pool(), "no such"); return err },
		"drop":       func() error { return queue.Drop(t.Context(), pgtest.Pool(), "no such") },
		"stats":      func() error { _, err := queue.Stats(t.Context(), pgtest.Pool(), "no such"); return err },
	} {
		err := call()
		is(t, err, queue.ErrNoQueue)
		if !strings.HasPrefix(err.Error(), `queue "no such": `+op+`: no such queue`) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if _, err := queue.List(t.Context(), pgtest.Database(t)); !errors.Is(err, queue.ErrNoSchema) {
		t.Errorf("list: %v", err)
	}
	is(t, queue.Create(t.Context(), pgtest.Database(t), "x"), queue.ErrNoSchema)
}
