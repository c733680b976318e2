package api

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A caller may throw away a message that cannot be stored.
func TestASequenceThatIsExhaustedIsNotTheMessages(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} ALTER COLUMN msg_id SET MAXVALUE 2`))
	check.SendBatch(t, q, []int{1, 2})
	for name, send := range map[string]func() error{
		"send":  func() error { _, err := q.Send(t.Context(), 3); return err },
		"batch": func() error { _, err := q.SendBatch(t.Context(), []int{3, 4}); return err },
		"async": func() error { check.OK(t, q.SendAsync(t.Context(), 3, nil)); return q.Flush(t.Context()) },
	} {
		err := send()
		check.Equal(t, name, check.As[*pgconn.PgError](t, err).Code, "2200H")
		if errors.As(err, new(*queue.EncodeError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bursting panics when it is encoded.
type bursting struct{}

func (bursting) MarshalJSON() ([]byte, error) { panic("too hot") }

func TestABodyWhoseEncodingPanicsCannotBeStored(t *testing.T) {
	check.Parallel(t)
	q := check.Open[any](t, pgtest.Pool(), pgtest.Queue[int](t).Name())
	_, err := q.Send(t.Context(), bursting{})
	check.As[*queue.EncodeError](t, err)
	check.Contains(t, check.As[*queue.PanicError](t, err).Error(), "MarshalJSON panicked: too hot")
	_, err = q.Send(t.Context(), 1, queue.Headers{"a": bursting{}})
	check.As[*queue.EncodeError](t, err)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestWhatFailsBesideASendAsyncCostsNothing(t *testing.T) {
	check.Parallel(t)
	name := pgtest.Queue[int](t).Name()
	fail := map[string]func(){"panic": func() { panic("no") }, "goexit": runtime.Goexit}
	for how, fail := range fail {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			var seen check.Seen
			observing, err := queue.New[int](pgtest.Pool(), name, queue.Observe(seen.Observe),
				queue.Observe(func(_ context.Context, e queue.Event) {
					if e.Kind == queue.EventSent {
						fail()
					}
				}))
			check.OK(t, err)
			check.OK(t, observing.SendAsync(t.Context(), 1, func(int64, error) { fail() }))
			check.OK(t, observing.Flush(t.Context())) // it does not wait for ever
			if how == "panic" {
				check.Equal(t, "told", len(seen.Of(queue.EventPanicked)), 2)
			}

			intercepted, err := queue.New[int](pgtest.Pool(), name,
				queue.Intercept(func(context.Context, *queue.Operation, func(context.Context) error) error { fail(); return nil }))
			check.OK(t, err)
			if intercepted.SendAsync(t.Context(), 1, nil) == nil {
				t.Error("no error")
			}
		})
	}
}
