package consume

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/internal/worker"
)

// With many queues on many connections each connection would prepare and plan the
// statements of every queue.
func TestConsumersOfManyQueuesShareFewConnections(t *testing.T) {
	check.Slow(t) // on a machine that is busy turns end early
	const queues = 60
	for range 4 {
		opened := connectionsOf(t, queues)
		if opened <= queues/2 {
			return
		}
		t.Logf("%d consumers have opened %d connections", queues, opened)
	}
	t.Error("these are too many, time and again")
}

// connectionsOf is how many connections are opened by the consumers of queues that
// all get messages at once.
func connectionsOf(t *testing.T, queues int) int32 {
	t.Helper()
	const rounds = 20
	ctx, stop := context.WithCancel(t.Context())
	ours := check.OwnDatabase(t)
	pool := check.PoolLike(t, ours, func(c *pgxpool.Config) { c.MaxConns = int32(queues) })
	var got atomic.Int64
	var all []*queue.Queue[worker.Task]
	var consumers sync.WaitGroup
	for i := range queues {
		name := fmt.Sprint("q", i)
		check.OK(t, admin.Create(ctx, ours, name))
		all = append(all, check.Open[worker.Task](t, ours, name))
		consumed := check.Open[worker.Task](t, pool, name)
		consumers.Go(func() {
			_ = consumed.Consume(ctx, func(context.Context, *queue.Message[worker.Task]) error {
				got.Add(1)
				return nil
			})
		})
	}
	defer consumers.Wait()
	defer stop()
	for round := range int64(rounds) {
		// One commit, for which all wake at once.
		check.OK(t, pgx.BeginFunc(ctx, ours, func(tx pgx.Tx) error {
			for _, q := range all {
				if _, err := q.WithTx(tx).Send(ctx, worker.Task{}); err != nil {
					return err
				}
			}
			return nil
		}))
		check.Eventually(t, "all are handled", func() bool { return got.Load() == (round+1)*int64(queues) })
	}
	return pool.Stat().TotalConns()
}

func TestASingleMessageCostsThreeStatements(t *testing.T) {
	check.Slow(t) // it counts statements over time
	const messages = 20
	var statements check.Tracer
	ours := check.OwnDatabase(t)
	pool := check.PoolLike(t, ours, func(c *pgxpool.Config) { c.ConnConfig.Tracer = &statements })
	check.OK(t, admin.Create(t.Context(), ours, "q"))
	q := check.Open[worker.Task](t, ours, "q")
	handled := make(chan struct{}, 1)
	check.Consume(t, check.Open[worker.Task](t, pool, "q"), func(context.Context, *queue.Message[worker.Task]) error {
		check.Put(handled, struct{}{})
		return nil
	})
	before := map[string]int{}
	kinds := []string{"", "Read ", "Scan ", "Delete ", "Subscribe ", "Unsubscribe "}
	for i := range messages + 1 {
		if i == 1 {
			for _, kind := range kinds {
				before[kind] = statements.CountOf("-- name: " + kind)
			}
		}
		_, err := q.Send(t.Context(), worker.Task{})
		check.OK(t, err)
		check.Receive(t, handled)
		time.Sleep(100 * time.Millisecond) // so that the next one is alone, too
	}
	for _, kind := range kinds[1:] {
		t.Logf("%d messages, %d times %s", messages, statements.CountOf("-- name: "+kind)-before[kind], kind)
	}
	if all := statements.CountOf("-- name: ") - before[""]; all > messages*7/2 {
		t.Errorf("%d lone messages took %d statements", messages, all)
	}
}

func TestSendersToABusyConsumerDoNotNotify(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	const holds = 1
	busy, free := make(chan struct{}), make(chan struct{})
	check.Consume(t, q, func(_ context.Context, m *queue.Message[int]) error {
		if m.Body == holds {
			close(busy)
			check.Hold(free)
		}
		return nil
	}, queue.Workers(1), queue.NoPrefetch, queue.VT(time.Hour))
	awaited := func() bool {
		return check.Value[bool](t, pgtest.Pool(), `
			SELECT NOT pg_try_advisory_xact_lock(pgmq._subscription_lock_key($1))`, "q_"+q.Name())
	}
	check.Eventually(t, "senders notify", awaited)
	check.Send(t, q, holds)
	check.Receive(t, busy)
	check.Send(t, q, 0)
	check.Eventually(t, "senders do not notify any more", func() bool { return !awaited() })
	close(free)
	check.Eventually(t, "senders notify", awaited)
}
