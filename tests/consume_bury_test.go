package tests

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// locked has another session lock a queue's table, until release.
func locked(t testing.TB, name string) (release func()) {
	t.Helper()
	lock, err := pgtest.Pool().Begin(t.Context())
	ok(t, err)
	t.Cleanup(func() { _ = lock.Rollback(context.Background()) })
	exec(t, lock, tables(name, `LOCK TABLE {Q}`))
	return func() { ok(t, lock.Rollback(t.Context())) }
}

// everyTenthDies is a handler.
func everyTenthDies(_ context.Context, m *queue.Message[Order]) error {
	if m.Body.ID%10 == 0 {
		return queue.DeadLetter(errWork)
	}
	return nil
}

// eachDiesOnce compares the dead letters of a queue with the ids of messages.
func eachDiesOnce(t *testing.T, dead *queue.Queue[Order], ids []int64) {
	t.Helper()
	died := map[int64]int{}
	for _, m := range read(t, dead, 10_000) {
		died[deathOf(t, m).ID]++
	}
	eachOnce(t, died, ids)
}

func TestADeadLetterThatCannotBeWrittenHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	for name, consumer := range map[string]func(*queue.Queue[Order], context.Context, ...queue.ConsumeOption) error{
		"Consume": func(q *queue.Queue[Order], ctx context.Context, opts ...queue.ConsumeOption) error {
			return q.Consume(ctx, everyTenthDies, opts...)
		},
		"ConsumeTx": func(q *queue.Queue[Order], ctx context.Context, opts ...queue.ConsumeOption) error {
			return q.ConsumeTx(ctx, func(ctx context.Context, _ pgx.Tx, m *queue.Message[Order]) error {
				return everyTenthDies(ctx, m)
			}, opts...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const vt = 6 * time.Second
			direct, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
			release := locked(t, dead.Name())
			sent := sendBatch(t, direct, numbered(200))
			var poison []int64
			for i := 0; i < len(sent); i += 10 {
				poison = append(poison, sent[i])
			}
			pool := newPool(t, func(c *pgxpool.Config) { c.MaxConns = 4 })
			start := time.Now()
			c := background(t, open[Order](t, pool, direct.Name()), func(ctx context.Context, q *queue.Queue[Order]) error {
				return consumer(q, ctx, queue.DeadLetterTo(dead.Name()), queue.VT(vt))
			})
			eventually(t, "the good ones are settled", func() bool { return length(t, direct) == int64(len(poison)) })
			if took := time.Since(start); took > vt/2 {
				t.Errorf("it took %v, of a VT of %v", took, vt)
			}
			eventually(t, "it is told", func() bool { return len(c.of(queue.LeaseLost)) >= len(poison) })
			for _, e := range c.of(queue.LeaseLost) {
				is(t, e.Err, errWork)
				sqlState(t, as[*pgconn.PgError](t, e.Err), "55P03")
			}
			equal(t, "messages that are done", len(c.of(queue.Settled)), len(sent)-len(poison))
			eventually(t, "the dead are tried again", func() bool { return len(c.of(queue.Delivered)) > len(sent) })
			release()
			eventually(t, "they are buried", func() bool { return length(t, direct) == 0 })
			ok(t, c.end())
			eachDiesOnce(t, dead, poison)
			equal(t, "outages", len(c.of(queue.Outage)), 0)
		})
	}
}

func TestWhenTheDeadLetterQueueIsDroppedTheOthersGoOn(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	c := consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()), queue.VT(2*time.Second))
	send(t, q, Order{ID: 1})
	eventually(t, "it works", func() bool { return length(t, q) == 0 })
	ok(t, queue.Drop(t.Context(), pgtest.Pool(), dead.Name()))
	id := send(t, q, Order{ID: 10})
	eventually(t, "it is told", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
	e := c.of(queue.LeaseLost)[0]
	equal(t, "the message told", e.ID, id)
	sqlState(t, as[*pgconn.PgError](t, e.Err), "42P01")
	is(t, e.Err, errWork)
	sendBatch(t, q, []Order{{ID: 2}, {ID: 3}})
	eventually(t, "the others are settled", func() bool { return len(c.of(queue.Settled)) == 3 })
	ok(t, queue.Create(t.Context(), pgtest.Pool(), dead.Name()))
	eventually(t, "it is buried", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	eachDiesOnce(t, dead, []int64{id})
}

// Deaths that fail are a flood: they take no more than one connection of the
// pool, few of them wait, and the others are told at once.
func TestManyDeadLettersThatCannotBeWrittenAreBounded(t *testing.T) {
	t.Parallel()
	dead := pgtest.Queue[Order](t)
	release := locked(t, dead.Name())
	pool := newPool(t, func(c *pgxpool.Config) { c.MaxConns = 4 })
	const consumers, poison = 4, 5000
	var all [consumers]*consuming
	var direct [consumers]*queue.Queue[Order]
	for i := range all {
		direct[i] = pgtest.Queue[Order](t)
		all[i] = consume(t, open[Order](t, pool, direct[i].Name()), everyTenthDies,
			queue.DeadLetterTo(dead.Name()), queue.VT(time.Hour))
		sendBatch(t, direct[i], make([]Order, poison))
	}
	blocked := func() int {
		return value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM pg_locks WHERE NOT granted AND relation = ('pgmq.q_' || $1)::regclass`, dead.Name())
	}
	most := 0
	eventually(t, "all are handled", func() bool {
		most = max(most, blocked())
		for _, c := range all {
			if len(c.of(queue.Delivered)) < poison {
				return false
			}
		}
		return true
	})
	for i, c := range all {
		start := time.Now()
		send(t, direct[i], Order{ID: 1})
		eventually(t, "a good one is settled", func() bool {
			most = max(most, blocked())
			return len(c.of(queue.Settled)) == 1
		})
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		if told := len(c.of(queue.LeaseLost)); told == 0 {
			t.Error("all of them wait")
		}
	}
	equal(t, "connections that wait for the lock", most, 1)
	release()
	for _, c := range all {
		eventually(t, "those that waited are buried", func() bool {
			return len(c.of(queue.DeadLettered))+len(c.of(queue.LeaseLost)) == poison
		})
		ok(t, c.end())
	}
}

// The server takes its time, but works: then nothing is fetched that would only
// wait.
func TestDeadLettersThatAreSlowToWriteHoldFetchingBack(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	exec(t, pgtest.Pool(), tables(dead.Name(), `
		CREATE FUNCTION pgmq.slowly_`+dead.Name()+`() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
		CREATE TRIGGER slowly BEFORE INSERT ON {Q} EXECUTE FUNCTION pgmq.slowly_`+dead.Name()+`()`))
	t.Cleanup(func() {
		_, err := pgtest.Pool().Exec(context.Background(), `DROP FUNCTION pgmq.slowly_`+dead.Name()+` CASCADE`)
		ok(t, err)
	})
	sent := sendBatch(t, q, make([]Order, 8000))
	c := consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()))
	eventually(t, "the first are buried", func() bool { return len(c.of(queue.DeadLettered)) > 0 })
	if n := len(c.of(queue.Delivered)); n > 6000 {
		t.Errorf("%d were delivered", n)
	}
	exec(t, pgtest.Pool(), tables(dead.Name(), `DROP TRIGGER slowly ON {Q}`))
	eventually(t, "all are buried", func() bool { return length(t, q) == 0 })
	ok(t, c.end())
	equal(t, "deliveries", len(c.of(queue.Delivered)), len(sent))
	equal(t, "leases lost", len(c.of(queue.LeaseLost)), 0)
	eachDiesOnce(t, dead, sent)
}

func TestADeadLetterThatCannotBeWrittenHoldsUpTheEndForNoLongerThanGrace(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	release := locked(t, dead.Name())
	id := send(t, q, Order{})
	c := consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()), queue.Grace(time.Second))
	eventually(t, "it is handled", func() bool { return len(c.of(queue.Delivered)) == 1 })
	start := time.Now()
	is(t, c.end(), queue.ErrStopped)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	eventually(t, "it is told", func() bool { return len(c.of(queue.LeaseLost)) == 1 })
	release()
	time.Sleep(500 * time.Millisecond)
	equal(t, "messages", length(t, q), 1)
	unhide(t, q)
	consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()))
	eventually(t, "it is buried", func() bool { return length(t, q) == 0 })
	eachDiesOnce(t, dead, []int64{id})
}
