package consume

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// atOnce is a Backoff for tests.
var atOnce = queue.Backoff(func(int) time.Duration { return 0 })

// archivedDeath waits for the only message in a queue's archive, and returns its Death.
func archivedDeath(t testing.TB, name string) queue.Death {
	t.Helper()
	var h struct {
		Death queue.Death `json:"x-pgmq-dead-letter"`
	}
	check.OK(t, json.Unmarshal(archived(t, name), &h))
	return h.Death
}

// archived returns the headers of the only message in a queue's archive, and
// waits for it.
func archived(t testing.TB, name string) json.RawMessage {
	t.Helper()
	count := func() int {
		return check.Value[int](t, pgtest.Pool(), check.Tables(name, `SELECT count(*)::int FROM {A}`))
	}
	check.Eventually(t, "a message is in the archive", func() bool { return count() > 0 })
	return check.Value[json.RawMessage](t, pgtest.Pool(), check.Tables(name, `SELECT coalesce(headers, 'null') FROM {A}`))
}

func TestArchiveDoneArchivesWhatIsDone(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{ID: 7}, queue.Headers{"a": 1})
	check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error { return nil }, queue.ArchiveDone{})
	check.Equal(t, "headers", string(archived(t, q.Name())), `{"a": 1}`)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestAPoisonMessageIsADeadLetterAfterExactlyMaxReads(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 3000))
	poison := sent[1711]
	var deliveries, others atomic.Int64
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		if m.ID == poison {
			deliveries.Add(1)
			return fmt.Errorf("page %d: %w", m.Reads, check.ErrWork)
		}
		others.Add(1)
		return nil
	}, queue.MaxReads(5), queue.DeadLetterTo(dead.Name()), atOnce, queue.Workers(16))
	check.Eventually(t, "the poison is dead", func() bool { return check.Length(t, dead) == 1 })
	check.Eventually(t, "the neighbours are done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "deliveries", deliveries.Load(), 5)
	check.Equal(t, "neighbours", others.Load(), 2999)
	check.Equal(t, "retries", len(c.Of(queue.EventRetried)), 4)
	check.Equal(t, "told", c.Of(queue.EventDeadLettered)[0].ID, poison)
	check.Equal(t, "the reason told", c.Of(queue.EventDeadLettered)[0].Reason, queue.ReasonMaxReads)

	d := check.DeathOf(t, check.ReadOne(t, dead))
	check.Equal(t, "its story", fmt.Sprint(d.Reason, "; ", d.Error, "; ", d.Queue, " ", d.ID, " ", d.Reads),
		fmt.Sprint("max reads; page 5: ", check.ErrWork, "; ", q.Name(), " ", poison, " 5"))
	if d.EnqueuedAt.IsZero() || !d.DeadAt.After(d.EnqueuedAt) {
		t.Errorf("sent at %v, dead at %v", d.EnqueuedAt, d.DeadAt)
	}
}

// A process that dies of a message reports nothing: the reads count.
func TestAMessageThatWasReadTooOftenIsADeadLetterWithoutADelivery(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	for range 3 {
		check.OK(t, q.SetVT(t.Context(), 0, check.ReadOne(t, q)))
	}
	c := check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error {
		t.Error("it was delivered")
		return nil
	}, queue.MaxReads(3))
	d := archivedDeath(t, q.Name())
	check.Equal(t, "reason", d.Reason, queue.ReasonMaxReads)
	check.Equal(t, "reads", d.Reads, 4)
	check.OK(t, c.End())
}

func TestAHandlerDecidesWhatBecomesOfItsMessage(t *testing.T) {
	check.Parallel(t)
	for name, result := range map[string]error{
		"dead letter": queue.DeadLetter(check.ErrWork),
		"discarded":   queue.Discard(fmt.Errorf("wrapped: %w", check.ErrWork)),
		"both":        fmt.Errorf("wrapped: %w", queue.DeadLetter(check.ErrWork)),
		"no reason":   queue.DeadLetter(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
			check.Send(t, q, check.Order{})
			c := check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error { return result }, queue.DeadLetterTo(dead.Name()))
			if name == "discarded" {
				d := archivedDeath(t, q.Name())
				check.Equal(t, "its story", string(d.Reason)+": "+d.Error, "discarded: wrapped: "+check.ErrWork.Error())
				check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventDiscarded)) == 1 })
				check.Equal(t, "dead letters", check.Length(t, dead), 0)
				return
			}
			check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventDeadLettered)) == 1 })
			d := check.DeathOf(t, check.ReadOne(t, dead))
			check.Equal(t, "reason", d.Reason, queue.ReasonDeadLetter)
			if name != "no reason" {
				check.Equal(t, "error", d.Error, check.ErrWork.Error())
			}
		})
	}
}

func TestRetryInSaysWhenAMessageComesBack(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	var first time.Time
	took := make(chan time.Duration, 1)
	check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		switch m.Reads {
		case 1:
			first = time.Now()
			return queue.RetryIn(300*time.Millisecond, check.ErrWork)
		case 2, 3:
			return queue.RetryIn(time.Duration(2-m.Reads), check.ErrWork) // 0 and less are at once
		}
		took <- time.Since(first)
		return nil
	}, queue.Backoff(func(int) time.Duration { return time.Hour }))
	if d := check.Receive(t, took); d < 300*time.Millisecond {
		t.Errorf("it came back after %v", d)
	}
}

func TestAPanicIsAnErrorWithItsStack(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	c := check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error { panic("out of\x00paper") }, queue.MaxReads(1))
	d := archivedDeath(t, q.Name())
	check.Equal(t, "error", d.Error, "the handler panicked: out ofpaper")
	if !strings.Contains(d.Stack, "TestAPanicIsAnErrorWithItsStack") {
		t.Errorf("the stack is %q", d.Stack)
	}
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventDeadLettered)) == 1 })
	p := check.As[*queue.PanicError](t, c.Of(queue.EventDeadLettered)[0].Err)
	check.Equal(t, "value", p.Value.(string), "out of\x00paper")
}

func TestAHandlerThatEndsItsGoroutineHasFailed(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 20))
	var done atomic.Int64
	check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		if m.Reads == 1 {
			runtime.Goexit()
		}
		done.Add(1)
		return nil
	}, atOnce, queue.Workers(2))
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
	check.Equal(t, "done", done.Load(), int64(len(sent)))
}

func TestABodyThatDoesNotDecodeIsADeadLetterAtOnce(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[json.RawMessage](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '{"order_id": "secret"}')`))
	good := check.Send(t, q, check.Order{ID: 2})
	var handled atomic.Int64
	check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		handled.Store(m.ID)
		return nil
	}, queue.DeadLetterTo(dead.Name()))
	check.Eventually(t, "it is dead", func() bool { return check.Length(t, dead) == 1 })
	check.Eventually(t, "its neighbour is done", func() bool { return handled.Load() == good })
	m := check.ReadOne(t, dead)
	d := check.DeathOf(t, m)
	check.Equal(t, "its story", string(d.Reason)+": "+d.Error, "undecodable: message 1 does not decode: cannot decode JSON string into Go int64")
	check.Equal(t, "body", string(m.Body), `{"order_id": "secret"}`)
}
