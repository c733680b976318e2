package tests

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func nothing(context.Context, *queue.Message[Order]) error { return nil }

func TestConsumeRefusesBadOptions(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	for name, opt := range map[string]queue.ConsumeOption{
		"nil":              nil,
		"workers":          queue.Workers(-1),
		"prefetch":         queue.Prefetch(-1),
		"max reads":        queue.MaxReads(-1),
		"a short VT":       queue.VT(99 * time.Millisecond),
		"a negative VT":    queue.VT(-time.Second),
		"max lease":        queue.MaxLease(-1),
		"grace":            queue.Grace(-1),
		"poll":             queue.Poll(-1),
		"backoff":          queue.Backoff(nil),
		"empty batches":    queue.Batch{},
		"batches that lag": queue.Batch{N: 10, Wait: 15 * time.Second},
		"itself":           queue.DeadLetterTo(q.Name()),
	} {
		err := q.Consume(t.Context(), nothing, opt)
		if err == nil {
			t.Errorf("%s: it was accepted", name)
			continue
		}
		is(t, err, queue.ErrOption)
	}
	is(t, q.Consume(t.Context(), nothing, queue.DeadLetterTo("a;b")), queue.ErrName)
}

func TestConsumeNeedsAPool(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	tx, err := pgtest.Pool().Begin(t.Context())
	ok(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	is(t, q.WithTx(tx).Consume(t.Context(), nothing), queue.ErrOption)
	for _, err := range q.WithTx(tx).Messages(t.Context()) {
		is(t, err, queue.ErrOption)
	}
	conn := connection(t, pgtest.Pool())
	is(t, open[Order](t, conn, q.Name()).Consume(t.Context(), nothing), queue.ErrOption)
}

func TestConsumeOfWhatIsNotThereEnds(t *testing.T) {
	t.Parallel()
	is(t, open[Order](t, pgtest.Pool(), "no such").Consume(t.Context(), nothing), queue.ErrNoQueue)
	q := pgtest.Queue[Order](t)
	is(t, q.Consume(t.Context(), nothing, queue.DeadLetterTo("no such")), queue.ErrNoQueue)
	empty := pgtest.Database(t)
	is(t, open[Order](t, empty, "orders").Consume(t.Context(), nothing), queue.ErrNoQueue)
	for _, err := range open[Order](t, pgtest.Pool(), "no such").Messages(t.Context()) {
		is(t, err, queue.ErrNoQueue)
	}

	c := consume(t, q, nothing)
	send(t, q, Order{})
	eventually(t, "it works", func() bool { return length(t, q) == 0 })
	ok(t, queue.Drop(t.Context(), pgtest.Pool(), q.Name()))
	exec(t, pgtest.Pool(), `SELECT pg_notify('pgmq.wake', $1)`, "q_"+q.Name())
	is(t, <-c.done, queue.ErrNoQueue)
	c.done <- nil
}

func TestConsumeWithoutPermissionEnds(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	err := open[Order](t, role(t, "stranger", "GRANT USAGE ON SCHEMA pgmq"), q.Name()).Consume(t.Context(), nothing)
	forbidden(t, "consume", err)
}

func TestConsumeNeedsNoMoreThanTheDocumentedGrants(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	pool := documented(t, q.Name(), "Consumer")
	exec(t, pgtest.Pool(), tables(dead.Name(), `GRANT INSERT (vt, message, headers) ON {Q} TO `+pool.Config().ConnConfig.RuntimeParams["role"]))
	c := consume(t, open[Order](t, pool, q.Name()), func(_ context.Context, m *queue.Message[Order]) error {
		if m.Body.ID == 1 {
			return errWork
		}
		return nil
	}, queue.MaxReads(2), queue.DeadLetterTo(dead.Name()), atOnce, queue.KeepArchive{})
	send(t, q, Order{ID: 1})
	send(t, q, Order{ID: 2})
	eventually(t, "one is dead", func() bool { return length(t, dead) == 1 })
	archived(t, q.Name())
	ok(t, c.end())
	equal(t, "messages", length(t, q), 0)
}

func TestConsumeWithAWrongPasswordEnds(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	pool := newPool(t, func(c *pgxpool.Config) { c.ConnConfig.User = "nobody_of_that_name" })
	done := make(chan error, 1)
	go func() { done <- open[Order](t, pool, q.Name()).Consume(t.Context(), nothing) }()
	select {
	case err := <-done:
		if err == nil {
			t.Fatal("no error")
		}
	case <-time.After(patience):
		t.Fatal("it tries for ever")
	}
}

func TestConsumeEndsWithItsContextAndLetsHandlersFinish(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	bodies := make([]Order, 2000)
	for i := 1000; i < len(bodies); i++ {
		bodies[i].ID = 1 // slow; by then a batch is fetched ahead
	}
	sendBatch(t, q, bodies)
	var started, finished atomic.Int64
	c := consume(t, q, func(ctx context.Context, m *queue.Message[Order]) error {
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
	eventually(t, "handlers run", func() bool { return started.Load() == 4 })
	ok(t, c.end())
	equal(t, "finished", finished.Load(), started.Load())
	// The others can be read at once, as if they had not been.
	equal(t, "were fetched and given back", len(c.of(queue.Returned)) > 0, true)
	left := read(t, q, 2000)
	equal(t, "left", int64(len(left)), 1000-finished.Load())
	for _, m := range left {
		equal(t, "reads", m.Reads, 1)
	}
}

func TestHandlersThatDoNotEndAreToldAndGivenUp(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sendBatch(t, q, make([]Order, 2))
	began := make(chan struct{}, 2)
	release := make(chan struct{})
	defer close(release)
	told := make(chan error, 2)
	c := consume(t, q, func(ctx context.Context, m *queue.Message[Order]) error {
		began <- struct{}{}
		<-ctx.Done()
		told <- context.Cause(ctx)
		if m.ID == 1 {
			<-release // deaf
		}
		return ctx.Err()
	}, queue.Grace(time.Second))
	<-began
	<-began
	start := time.Now()
	is(t, c.end(), queue.ErrStopped)
	if took := time.Since(start); took < 900*time.Millisecond || took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	is(t, <-told, queue.ErrStopped)
	is(t, <-told, queue.ErrStopped)
	equal(t, "the one that listened is back at once", readOne(t, q).ID, 2)
}

func TestRunEndsAllWhenOneFails(t *testing.T) {
	t.Parallel()
	a, b := pgtest.Queue[Order](t), open[Order](t, pgtest.Pool(), "no such")
	err := queue.Run(t.Context(),
		func(ctx context.Context) error { return a.Consume(ctx, nothing) },
		func(ctx context.Context) error { return b.Consume(ctx, nothing) },
	)
	is(t, err, queue.ErrNoQueue)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	ok(t, queue.Run(ctx,
		func(ctx context.Context) error { return a.Consume(ctx, nothing) },
		func(ctx context.Context) error {
			return a.ConsumeTx(ctx, func(context.Context, pgx.Tx, *queue.Message[Order]) error { return nil })
		},
	))
}
