package tests

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
)

// With many queues on many connections each connection would prepare and plan the
// statements of every queue.
func TestConsumersOfManyQueuesShareFewConnections(t *testing.T) {
	// Not parallel: on a machine that is busy turns end early.
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
	ours := pgtest.Database(t)
	pgtest.Migrate(t, ours)
	pool := poolLike(t, ours, func(c *pgxpool.Config) { c.MaxConns = int32(queues) })
	var got atomic.Int64
	var all []*queue.Queue[task]
	var consumers sync.WaitGroup
	for i := range queues {
		name := fmt.Sprint("q", i)
		ok(t, queue.Create(ctx, ours, name))
		all = append(all, open[task](t, ours, name))
		consumed := open[task](t, pool, name)
		consumers.Go(func() {
			_ = consumed.Consume(ctx, func(context.Context, *queue.Message[task]) error {
				got.Add(1)
				return nil
			})
		})
	}
	defer consumers.Wait()
	defer stop()
	for round := range int64(rounds) {
		// One commit, for which all wake at once.
		ok(t, pgx.BeginFunc(ctx, ours, func(tx pgx.Tx) error {
			for _, q := range all {
				if _, err := q.WithTx(tx).Send(ctx, task{}); err != nil {
					return err
				}
			}
			return nil
		}))
		eventually(t, "all are handled", func() bool { return got.Load() == (round+1)*int64(queues) })
	}
	return pool.Stat().TotalConns()
}

func TestALoneMessageCostsThreeStatements(t *testing.T) {
	// Not parallel: it counts statements over time.
	const messages = 20
	var statements tracer
	ours := pgtest.Database(t)
	pgtest.Migrate(t, ours)
	pool := poolLike(t, ours, func(c *pgxpool.Config) { c.ConnConfig.Tracer = &statements })
	ok(t, queue.Create(t.Context(), ours, "q"))
	q := open[task](t, ours, "q")
	handled := make(chan struct{})
	consume(t, open[task](t, pool, "q"), func(context.Context, *queue.Message[task]) error {
		handled <- struct{}{}
		return nil
	})
	before := map[string]int{}
	kinds := []string{"", "Read ", "Look ", "Delete ", "Await ", "Unawait "}
	for i := range messages + 1 {
		if i == 1 {
			for _, kind := range kinds {
				before[kind] = statements.countOf("-- name: " + kind)
			}
		}
		_, err := q.Send(t.Context(), task{})
		ok(t, err)
		<-handled
		time.Sleep(100 * time.Millisecond) // so that the next one is alone, too
	}
	for _, kind := range kinds[1:] {
		t.Logf("%d messages, %d times %s", messages, statements.countOf("-- name: "+kind)-before[kind], kind)
	}
	if all := statements.countOf("-- name: ") - before[""]; all > messages*7/2 {
		t.Errorf("%d lone messages took %d statements", messages, all)
	}
}

func TestSendersToABusyConsumerDoNotAnnounce(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	busy, free := make(chan struct{}), make(chan struct{})
	consume(t, q, func(context.Context, *queue.Message[int]) error {
		select {
		case busy <- struct{}{}:
			<-free
		default:
		}
		return nil
	}, queue.Workers(1), queue.Prefetch(0))
	awaited := func() bool {
		return value[bool](t, pgtest.Pool(), `
			SELECT NOT pg_try_advisory_xact_lock(pgmq._subscription_lock_key($1))`, "q_"+q.Name())
	}
	eventually(t, "senders announce", awaited)
	for i := range 2 {
		time.Sleep(100 * time.Millisecond) // so that they do not announce too often
		send(t, q, i)
		if i == 0 {
			<-busy
		}
	}
	eventually(t, "senders do not announce any more", func() bool { return !awaited() })
	close(free)
	eventually(t, "senders announce", awaited)
}
