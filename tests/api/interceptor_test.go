package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// journal notes operations as an interceptor sees them.
type journal struct {
	mu  sync.Mutex
	ops []string
}

func (j *journal) intercept(ctx context.Context, op *queue.Operation, next func(context.Context) error) error {
	if op.Kind == queue.OpSend {
		op.AddHeader("trace", "4bf92f35")
		op.AddHeader("tenant", "nobody")
	}
	err := next(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	line := fmt.Sprintf("%s %d %v", op.Kind, op.Count, op.IDs)
	for _, d := range op.Deliveries {
		line += fmt.Sprintf(" {%d %d %v}", d.ID, d.Reads, d.Headers["tenant"])
	}
	if err != nil {
		line += " failed"
	}
	j.ops = append(j.ops, line)
	return err
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.ops)
}

func intercepted[T any](t testing.TB, i ...queue.Interceptor) *queue.Queue[T] {
	t.Helper()
	var opts []queue.Option
	for _, one := range i {
		opts = append(opts, queue.Intercept(one))
	}
	q, err := queue.New[T](pgtest.Pool(), pgtest.Queue[T](t).Name(), opts...)
	check.OK(t, err)
	return q
}

func TestAnInterceptorSeesEveryOperation(t *testing.T) {
	check.Parallel(t)
	var j journal
	q, ctx := intercepted[int](t, j.intercept), t.Context()
	check.Send(t, q, 1, queue.Headers{"tenant": "a"})
	check.SendBatch(t, q, []int{2, 3})
	_, err := q.SendMessages(ctx, queue.Outgoing[int]{Body: 4, Options: []queue.SendOption{queue.Headers{"tenant": "b"}}}, queue.Outgoing[int]{Body: 5})
	check.OK(t, err)
	check.OK(t, pgx.BeginFunc(ctx, pgtest.Pool(), func(tx pgx.Tx) error {
		_, err := q.WithTx(tx).Send(ctx, 6)
		return err
	}))
	sent := make(chan error, 1)
	check.OK(t, q.SendAsync(ctx, 7, func(_ int64, err error) { sent <- err }))
	check.OK(t, check.Receive(t, sent))
	check.OK(t, q.Flush(ctx))
	msgs := check.Read(t, q, 2)
	check.OK(t, q.SetVT(ctx, 0, msgs[0]))
	check.OK(t, q.Archive(ctx, msgs[1]))
	check.OK(t, q.Delete(ctx, msgs[0]))
	check.Is(t, q.Delete(ctx, msgs[0]), queue.ErrLeaseLost)
	check.Pop(t, q)
	_, err = q.SetVTID(ctx, 0, 4)
	check.OK(t, err)
	_, err = q.ArchiveID(ctx, 4)
	check.OK(t, err)
	_, err = q.DeleteID(ctx, 5)
	check.OK(t, err)
	check.Same(t, "operations", j.all(), []string{
		"send 1 [1]", "send 2 [2 3]", "send 2 [4 5]", "send 1 [6]", "send 1 [7]",
		"read 2 [1 2] {1 1 a} {2 1 nobody}", "set vt 1 [1]", "archive 1 [2]", "delete 1 [1]", "delete 1 [1] failed",
		"pop 1 [3] {3 0 nobody}", "set vt 1 [4]", "archive 1 [4]", "delete 1 [5]",
	})
	left := check.Read(t, q, 9)
	check.Equal(t, "messages", len(left), 2)
	for _, m := range left {
		check.Equal(t, "a header of the interceptor", m.Headers["trace"], any("4bf92f35"))
	}
}

func TestAnInterceptorRunsAroundEveryHandler(t *testing.T) {
	check.Parallel(t)
	for name, consume := range map[string]func(context.Context, *queue.Queue[int], func() error, queue.ConsumeOption) error{
		"Consume": func(ctx context.Context, q *queue.Queue[int], handle func() error, observe queue.ConsumeOption) error {
			return q.Consume(ctx, func(context.Context, *queue.Message[int]) error { return handle() }, observe)
		},
		"ConsumeTx": func(ctx context.Context, q *queue.Queue[int], handle func() error, observe queue.ConsumeOption) error {
			return q.ConsumeTx(ctx, func(context.Context, pgx.Tx, *queue.Message[int]) error { return handle() }, observe)
		},
		"ConsumeBatch": func(ctx context.Context, q *queue.Queue[int], handle func() error, observe queue.ConsumeOption) error {
			return q.ConsumeBatch(ctx, func(context.Context, []*queue.Message[int]) error { return handle() }, observe)
		},
	} {
		t.Run(name, func(t *testing.T) {
			check.Parallel(t)
			var j journal
			panicked := make(chan error, 10)
			q := intercepted[int](t, j.intercept, func(ctx context.Context, op *queue.Operation, next func(context.Context) error) error {
				err := next(ctx)
				if op.Kind == queue.OpHandle {
					panicked <- err
				}
				return err
			})
			check.Send(t, q, 1, queue.Headers{"tenant": "a"})
			first := true
			c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
				return consume(ctx, q, func() error {
					if first {
						first = false
						panic("at first")
					}
					return nil
				}, observe)
			})
			check.As[*queue.PanicError](t, check.Receive(t, panicked))
			check.Eventually(t, "it is retried", func() bool { return len(c.Of(queue.EventRetried)) == 1 })
			_, err := q.SetVTID(t.Context(), 0, 1)
			check.OK(t, err)
			check.OK(t, check.Receive(t, panicked))
			check.Eventually(t, "it is settled", func() bool { return check.Length(t, q) == 0 })
			// The handler may run again before the call that made the message
			// visible has returned.
			check.Same(t, "operations", slices.Sorted(slices.Values(j.all())),
				[]string{"handle 1 [1] {1 1 a} failed", "handle 1 [1] {1 2 a}", "send 1 [1]", "set vt 1 [1]"})
		})
	}
}

var errRefused = errors.New("refused")

func TestAnInterceptorMayRefuseAnOperationButNotHideThatItFailed(t *testing.T) {
	check.Parallel(t)
	refuses := func(context.Context, *queue.Operation, func(context.Context) error) error { return errRefused }
	forgets := func(context.Context, *queue.Operation, func(context.Context) error) error { return nil }
	hides := func(ctx context.Context, _ *queue.Operation, next func(context.Context) error) error {
		_ = next(ctx)
		return nil
	}
	for name, c := range map[string]struct {
		interceptor queue.Interceptor
		body        any
		is          error
	}{
		"it refuses":             {refuses, 1, errRefused},
		"it does not call next":  {forgets, 1, nil},
		"it hides a bad message": {hides, "\xff", nil},
	} {
		q := intercepted[any](t, c.interceptor)
		_, one := q.Send(t.Context(), c.body)
		_, many := q.SendBatch(t.Context(), []any{c.body})
		_, each := q.SendMessages(t.Context(), queue.Outgoing[any]{Body: c.body})
		async := q.SendAsync(t.Context(), c.body, func(id int64, err error) { t.Errorf("%s: done with %d, %v", name, id, err) })
		for _, err := range []error{one, many, each, async} {
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%s: %v", name, err)
			}
		}
		check.OK(t, q.Flush(t.Context()))
		check.Equal(t, name+": messages", check.Length(t, q), 0)
	}
}

func TestTheFirstInterceptorIsTheOutermost(t *testing.T) {
	check.Parallel(t)
	var order []string
	mark := func(name string) queue.Interceptor {
		return func(ctx context.Context, _ *queue.Operation, next func(context.Context) error) error {
			order = append(order, name)
			return next(ctx)
		}
	}
	check.Send(t, intercepted[int](t, mark("outer"), nil, mark("inner")), 1)
	check.Same(t, "order", order, []string{"outer", "inner"})
}

func TestSendAsyncKeepsItsOrderBehindInterceptors(t *testing.T) {
	check.Parallel(t)
	var j journal
	q := intercepted[int](t, j.intercept)
	for i := range 200 {
		check.OK(t, q.SendAsync(t.Context(), i, nil))
	}
	check.OK(t, q.Flush(t.Context()))
	for i, m := range check.Read(t, q, 200) {
		check.Equal(t, "body", m.Body, i)
	}
	check.Equal(t, "operations", len(j.all()), 201)
}

// wrapped is a pool of a user's type that traces.
type wrapped struct{ *pgxpool.Pool }

// hidden is a pool that cannot be told from a transaction.
type hidden struct{ queue.DB }

func TestNewTakesAWrapperThatIsAPoolAndRefusesWhatHidesItsConnection(t *testing.T) {
	check.Parallel(t)
	name := pgtest.Queue[int](t).Name()
	q := check.Open[int](t, wrapped{pgtest.Pool()}, name)
	check.OK(t, q.SendAsync(t.Context(), 1, nil)) // only on a pool
	check.OK(t, q.Flush(t.Context()))
	c := check.Consume(t, q, func(context.Context, *queue.Message[int]) error { return nil })
	check.Eventually(t, "it is done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	for _, bad := range []queue.DB{nil, hidden{pgtest.Pool()}} {
		_, err := queue.New[int](bad, name)
		check.Is(t, err, queue.ErrInvalidOption)
	}
}
