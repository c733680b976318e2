package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

var errWork = errors.New("the printer is out of paper")

// atOnce is a Backoff for tests.
var atOnce = queue.Backoff(func(int) time.Duration { return 0 })

// deathOf returns the story of a message.
func deathOf[T any](t testing.TB, m *queue.Message[T]) queue.Death {
	t.Helper()
	d := m.Death()
	if d == nil {
		t.Fatalf("the headers are %s", m.RawHeaders())
	}
	return *d
}

// buried waits for the only message in a queue's archive, and returns its story.
func buried(t testing.TB, name string) queue.Death {
	t.Helper()
	var h struct {
		Death queue.Death `json:"x-pgmq-dead-letter"`
	}
	ok(t, json.Unmarshal(archived(t, name), &h))
	return h.Death
}

// archived returns the headers of the only message in a queue's archive, and
// waits for it.
func archived(t testing.TB, name string) json.RawMessage {
	t.Helper()
	count := func() int { return value[int](t, pgtest.Pool(), tables(name, `SELECT count(*)::int FROM {A}`)) }
	eventually(t, "a message is in the archive", func() bool { return count() > 0 })
	return value[json.RawMessage](t, pgtest.Pool(), tables(name, `SELECT coalesce(headers, 'null') FROM {A}`))
}

func TestKeepArchiveArchivesWhatIsDone(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{ID: 7}, queue.Headers{"a": 1})
	consume(t, q, func(context.Context, *queue.Message[Order]) error { return nil }, queue.KeepArchive{})
	equal(t, "headers", string(archived(t, q.Name())), `{"a": 1}`)
	equal(t, "messages", length(t, q), 0)
}

func TestAPoisonMessageIsADeadLetterAfterExactlyMaxReads(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 10_000))
	poison := sent[4711]
	var deliveries, others atomic.Int64
	c := consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		if m.ID == poison {
			deliveries.Add(1)
			return fmt.Errorf("page %d: %w", m.Reads, errWork)
		}
		others.Add(1)
		return nil
	}, queue.MaxReads(5), queue.DeadLetterTo(dead.Name()), atOnce, queue.Workers(16))
	eventually(t, "the poison is dead", func() bool { return length(t, dead) == 1 })
	eventually(t, "the neighbours are done", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	equal(t, "deliveries", deliveries.Load(), 5)
	equal(t, "neighbours", others.Load(), 9999)
	equal(t, "retries", len(c.of(queue.Retried)), 4)
	equal(t, "told", c.of(queue.DeadLettered)[0].ID, poison)
	equal(t, "the reason told", c.of(queue.DeadLettered)[0].Reason, queue.ReasonMaxReads)

	d := deathOf(t, readOne(t, dead))
	equal(t, "its story", fmt.Sprint(d.Reason, "; ", d.Error, "; ", d.Queue, " ", d.ID, " ", d.Reads),
		fmt.Sprint("max reads; page 5: ", errWork, "; ", q.Name(), " ", poison, " 5"))
	if d.EnqueuedAt.IsZero() || !d.DeadAt.After(d.EnqueuedAt) {
		t.Errorf("sent at %v, dead at %v", d.EnqueuedAt, d.DeadAt)
	}
}

// A process that dies of a message tells nobody: the reads count.
func TestAMessageThatWasReadTooOftenIsADeadLetterWithoutADelivery(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{})
	for range 3 {
		ok(t, q.SetVT(t.Context(), 0, readOne(t, q)))
	}
	c := consume(t, q, func(context.Context, *queue.Message[Order]) error {
		t.Error("it was delivered")
		return nil
	}, queue.MaxReads(3))
	d := buried(t, q.Name())
	equal(t, "reason", d.Reason, queue.ReasonMaxReads)
	equal(t, "reads", d.Reads, 4)
	ok(t, c.end())
}

func TestAHandlerDecidesWhatBecomesOfItsMessage(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{
		"dead letter": queue.DeadLetter(errWork),
		"discarded":   queue.Discard(fmt.Errorf("wrapped: %w", errWork)),
		"both":        fmt.Errorf("wrapped: %w", queue.DeadLetter(errWork)),
		"no reason":   queue.DeadLetter(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
			send(t, q, Order{})
			c := consume(t, q, func(context.Context, *queue.Message[Order]) error { return result }, queue.DeadLetterTo(dead.Name()))
			if name == "discarded" {
				d := buried(t, q.Name())
				equal(t, "its story", string(d.Reason)+": "+d.Error, "discarded: wrapped: "+errWork.Error())
				eventually(t, "it is told", func() bool { return len(c.of(queue.Discarded)) == 1 })
				equal(t, "dead letters", length(t, dead), 0)
				return
			}
			eventually(t, "it is told", func() bool { return len(c.of(queue.DeadLettered)) == 1 })
			d := deathOf(t, readOne(t, dead))
			equal(t, "reason", d.Reason, queue.ReasonDeadLetter)
			if name != "no reason" {
				equal(t, "error", d.Error, errWork.Error())
			}
		})
	}
}

func TestRetryInSaysWhenAMessageComesBack(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{})
	var first time.Time
	took := make(chan time.Duration, 1)
	consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		switch m.Reads {
		case 1:
			first = time.Now()
			return queue.RetryIn(300*time.Millisecond, errWork)
		case 2, 3:
			return queue.RetryIn(time.Duration(2-m.Reads), errWork) // 0 and less are at once
		}
		took <- time.Since(first)
		return nil
	}, queue.Backoff(func(int) time.Duration { return time.Hour }))
	select {
	case d := <-took:
		if d < 300*time.Millisecond || d > 2*time.Second {
			t.Errorf("it came back after %v", d)
		}
	case <-time.After(patience):
		t.Fatal("it did not come back")
	}
}

func TestAPanicIsAnErrorWithItsStack(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{})
	c := consume(t, q, func(context.Context, *queue.Message[Order]) error { panic("out of\x00paper") }, queue.MaxReads(1))
	d := buried(t, q.Name())
	equal(t, "error", d.Error, "the handler panicked: out ofpaper")
	if !strings.Contains(d.Stack, "TestAPanicIsAnErrorWithItsStack") {
		t.Errorf("the stack is %q", d.Stack)
	}
	eventually(t, "it is told", func() bool { return len(c.of(queue.DeadLettered)) == 1 })
	p := as[*queue.PanicError](t, c.of(queue.DeadLettered)[0].Err)
	equal(t, "value", p.Value.(string), "out of\x00paper")
}

func TestAHandlerThatEndsItsGoroutineHasFailed(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 20))
	var done atomic.Int64
	consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		if m.Reads == 1 {
			runtime.Goexit()
		}
		done.Add(1)
		return nil
	}, atOnce, queue.Workers(2))
	eventually(t, "all are done", func() bool { return length(t, q) == 0 })
	equal(t, "done", done.Load(), int64(len(sent)))
}

func TestABodyThatDoesNotDecodeIsADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[json.RawMessage](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '{"order_id": "secret"}')`))
	good := send(t, q, Order{ID: 2})
	var handled atomic.Int64
	consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		handled.Store(m.ID)
		return nil
	}, queue.DeadLetterTo(dead.Name()))
	eventually(t, "it is dead", func() bool { return length(t, dead) == 1 })
	eventually(t, "its neighbour is done", func() bool { return handled.Load() == good })
	m := readOne(t, dead)
	d := deathOf(t, m)
	equal(t, "its story", string(d.Reason)+": "+d.Error, "undecodable: message 1 does not decode: a string cannot become a Go int64")
	equal(t, "body", string(m.Body), `{"order_id": "secret"}`)
}
