package api

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// result has the results of a Read in another goroutine.
type result struct {
	msgs []*queue.Message[int]
	err  error
	took time.Duration
}

// waitingReader starts a read and returns when it has asked the server in vain.
func waitingReader(ctx context.Context, t *testing.T, name string, wait time.Duration) <-chan result {
	t.Helper()
	var statements check.Tracer
	q := check.Open[int](t, check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.Tracer = &statements }), name)
	results := make(chan result, 1)
	go func() {
		start := time.Now()
		msgs, err := q.Read(ctx, 1, queue.WaitFor(wait))
		results <- result{msgs, err, time.Since(start)}
	}()
	check.Eventually(t, "the reader asks again", func() bool { return statements.Count() >= 2 })
	return results
}

func TestWaitEndsAtTheFirstMessage(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	results := waitingReader(t.Context(), t, q.Name(), time.Hour)
	id := check.Send(t, q, 1)
	r := check.Receive(t, results)
	check.OK(t, r.err)
	check.Equal(t, "the id", r.msgs[0].ID, id)
}

func TestWaitReturnsAtOnceWhatIsThere(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 1)
	msgs, err := q.Read(check.Within(t), 100, queue.WaitFor(time.Hour))
	check.OK(t, err)
	check.Equal(t, "the number of messages", len(msgs), 1)
}

func TestWaitEndsEmptyHandedAndWithoutAnError(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	const wait = 400 * time.Millisecond
	r := check.Receive(t, waitingReader(t.Context(), t, q.Name(), wait))
	check.OK(t, r.err)
	check.Equal(t, "the number of messages", len(r.msgs), 0)
	if r.took < wait {
		t.Errorf("it waited for %v, less than %v", r.took, wait)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	ctx, cancel := context.WithCancel(t.Context())
	results := waitingReader(ctx, t, q.Name(), time.Hour)
	cancel()
	r := check.Receive(t, results)
	check.Is(t, r.err, context.Canceled)
	check.Equal(t, "the number of messages", len(r.msgs), 0)
}

func TestWaitSeesLeasesThatEnd(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	id := check.Send(t, q, 1)
	check.ReadOne(t, q)
	results := waitingReader(t.Context(), t, q.Name(), time.Hour)
	_, err := q.SetVTID(t.Context(), 0, id)
	check.OK(t, err)
	r := check.Receive(t, results)
	check.OK(t, r.err)
	check.Equal(t, "Reads", r.msgs[0].Reads, 2)
}
