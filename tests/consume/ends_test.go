package consume

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func nothing(context.Context, *queue.Message[check.Order]) error { return nil }

func TestConsumeRefusesBadOptions(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	for name, opt := range map[string]queue.ConsumeOption{
		"a batch size":  queue.BatchSize(10),
		"a batch wait":  queue.BatchWait(time.Second),
		"timeout":       queue.HandlerTimeout(-1),
		"nil":           nil,
		"workers":       queue.Workers(-1),
		"prefetch":      queue.Prefetch(-2),
		"max reads":     queue.MaxReads(-1),
		"a short VT":    queue.VT(99 * time.Millisecond),
		"a negative VT": queue.VT(-time.Second),
		"max lease":     queue.MaxLease(-1),
		"grace":         queue.ShutdownGrace(-1),
		"poll":          queue.PollInterval(-1),
		"itself":        queue.DeadLetterTo(q.Name()),
	} {
		err := q.Consume(t.Context(), nothing, opt)
		if err == nil {
			t.Errorf("%s: it was accepted", name)
			continue
		}
		check.Is(t, err, queue.ErrInvalidOption)
	}
	check.Is(t, q.Consume(t.Context(), nothing, queue.DeadLetterTo("a;b")), queue.ErrInvalidName)
	several := func(context.Context, []*queue.Message[check.Order]) error { return nil }
	for name, opt := range map[string]queue.ConsumeOption{
		"batches that lag":  queue.BatchWait(15 * time.Second),
		"a negative size":   queue.BatchSize(-1),
		"a time below zero": queue.BatchWait(-1),
	} {
		if err := q.ConsumeBatch(t.Context(), several, opt); !errors.Is(err, queue.ErrInvalidOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Programs pass settings on that nobody has set.
func TestZeroOptionsAreTheDefaults(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.SendBatch(t, q, check.Numbered(20))
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[check.Order]) error {
		if m.Body.ID == 7 {
			return queue.DeadLetter(check.ErrWork)
		}
		return nil
	}, queue.Workers(0), queue.NoPrefetch, queue.VT(0), queue.MaxLease(0), queue.HandlerTimeout(0), queue.ShutdownGrace(0),
		queue.Backoff(nil), queue.MaxReads(0), queue.DeadLetterTo(""), queue.PollInterval(0), queue.Observe(nil))
	check.Eventually(t, "all are done", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "archived", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), "SELECT count(*)::int FROM {A}")), 1)

	check.SendBatch(t, q, check.Numbered(3))
	sizes := make(chan int, 3)
	b := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
		return q.ConsumeBatch(ctx, func(_ context.Context, msgs []*queue.Message[check.Order]) error {
			sizes <- len(msgs)
			return nil
		}, queue.BatchSize(0), queue.BatchWait(0), observe)
	})
	check.Equal(t, "the batch", check.Receive(t, sizes), 3)
	check.OK(t, b.End())
}

func TestConsumeNeedsAPool(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	check.Is(t, q.WithTx(tx).Consume(t.Context(), nothing), queue.ErrInvalidOption)
	for _, err := range q.WithTx(tx).Messages(t.Context()) {
		check.Is(t, err, queue.ErrInvalidOption)
	}
	conn := check.Connection(t, pgtest.Pool())
	check.Is(t, check.Open[check.Order](t, conn, q.Name()).Consume(t.Context(), nothing), queue.ErrInvalidOption)
}

func TestConsumeOfWhatIsNotThereEnds(t *testing.T) {
	check.Parallel(t)
	check.Is(t, check.Open[check.Order](t, pgtest.Pool(), "no such").Consume(t.Context(), nothing), queue.ErrNoQueue)
	q := pgtest.Queue[check.Order](t)
	check.Is(t, q.Consume(t.Context(), nothing, queue.DeadLetterTo("no such")), queue.ErrNoQueue)
	empty := pgtest.Database(t)
	check.Is(t, check.Open[check.Order](t, empty, "orders").Consume(t.Context(), nothing), queue.ErrNoQueue)
	for _, err := range check.Open[check.Order](t, pgtest.Pool(), "no such").Messages(t.Context()) {
		check.Is(t, err, queue.ErrNoQueue)
	}

	c := check.Consume(t, q, nothing)
	check.Send(t, q, check.Order{})
	check.Eventually(t, "it works", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, admin.Drop(t.Context(), pgtest.Pool(), q.Name()))
	check.Exec(t, pgtest.Pool(), `SELECT pg_notify('pgmq.wake', $1)`, "q_"+q.Name())
	check.Is(t, c.Returned(), queue.ErrNoQueue)
}

func TestConsumeWithoutPermissionEnds(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	err := check.Open[check.Order](t, check.Role(t, "stranger", "GRANT USAGE ON SCHEMA pgmq"), q.Name()).Consume(t.Context(), nothing)
	check.Forbidden(t, "consume", err)
}

func TestConsumeNeedsNoMoreThanTheDocumentedGrants(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	pool := check.Documented(t, q.Name(), "Consumer")
	check.Exec(t, pgtest.Pool(), check.Tables(dead.Name(), `GRANT INSERT (vt, message, headers) ON {Q} TO `+pool.Config().ConnConfig.RuntimeParams["role"]))
	c := check.Consume(t, check.Open[check.Order](t, pool, q.Name()), func(_ context.Context, m *queue.Message[check.Order]) error {
		if m.Body.ID == 1 {
			return check.ErrWork
		}
		return nil
	}, queue.MaxReads(2), queue.DeadLetterTo(dead.Name()), atOnce, queue.ArchiveDone{})
	check.Send(t, q, check.Order{ID: 1})
	check.Send(t, q, check.Order{ID: 2})
	check.Eventually(t, "one is dead", func() bool { return check.Length(t, dead) == 1 })
	archived(t, q.Name())
	check.OK(t, c.End())
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestConsumeWithAWrongPasswordEnds(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	pool := check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.User = "nobody_of_that_name" })
	done := make(chan error, 1)
	go func() { done <- check.Open[check.Order](t, pool, q.Name()).Consume(t.Context(), nothing) }()
	if check.Receive(t, done) == nil {
		t.Fatal("no error")
	}
}

func TestConsumeEndsWithItsContextAndLetsHandlersFinish(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	bodies := make([]check.Order, 2000)
	for i := 1000; i < len(bodies); i++ {
		bodies[i].ID = 1 // slow; by then a batch is fetched ahead
	}
	check.SendBatch(t, q, bodies)
	var started, finished atomic.Int64
	c := check.Consume(t, q, func(ctx context.Context, m *queue.Message[check.Order]) error {
		if m.Body.ID == 0 {
			return nil
		}
		started.Add(1)
		time.Sleep(500 * time.Millisecond)
		if ctx.Err() == nil {
			finished.Add(1)
		}
		return nil
	}, queue.Workers(4), queue.VT(time.Hour))
	check.Eventually(t, "handlers run", func() bool { return started.Load() >= 4 })
	check.OK(t, c.End())
	check.Equal(t, "finished", finished.Load(), started.Load())
	// The others can be read at once, as if they had not been.
	check.Equal(t, "were fetched and given back", len(c.Of(queue.EventReturned)) > 0, true)
	left := check.Read(t, q, 2000)
	check.Equal(t, "left", int64(len(left)), 1000-finished.Load())
	for _, m := range left {
		check.Equal(t, "reads", m.Reads, 1)
	}
}

func TestHandlersThatDoNotEndAreToldAndGivenUp(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.SendBatch(t, q, make([]check.Order, 2))
	began := make(chan struct{}, 2)
	release := make(chan struct{})
	defer close(release)
	told := make(chan error, 2)
	c := check.Consume(t, q, func(ctx context.Context, m *queue.Message[check.Order]) error {
		began <- struct{}{}
		<-ctx.Done()
		told <- context.Cause(ctx)
		if m.ID == 1 {
			check.Hold(release) // deaf
		}
		return ctx.Err()
	}, queue.ShutdownGrace(10*time.Second))
	check.Receive(t, began)
	check.Receive(t, began)
	start := time.Now()
	check.Is(t, c.End(), queue.ErrGraceExpired)
	if took := time.Since(start); took < 9*time.Second { // they are told in the last tenth
		t.Errorf("it took %v", took)
	}
	check.Is(t, check.Receive(t, told), queue.ErrGraceExpired)
	check.Is(t, check.Receive(t, told), queue.ErrGraceExpired)
	check.Equal(t, "the one that listened is back at once", check.ReadOne(t, q).ID, 2)
}

func TestRunEndsAllWhenOneFails(t *testing.T) {
	check.Parallel(t)
	a, b := pgtest.Queue[check.Order](t), check.Open[check.Order](t, pgtest.Pool(), "no such")
	err := queue.Run(t.Context(),
		func(ctx context.Context) error { return a.Consume(ctx, nothing) },
		func(ctx context.Context) error { return b.Consume(ctx, nothing) },
	)
	check.Is(t, err, queue.ErrNoQueue)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	check.OK(t, queue.Run(ctx,
		func(ctx context.Context) error { return a.Consume(ctx, nothing) },
		func(ctx context.Context) error {
			return a.ConsumeTx(ctx, func(context.Context, pgx.Tx, *queue.Message[check.Order]) error { return nil })
		},
	))
}
