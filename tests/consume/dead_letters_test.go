package consume

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// locked has another session lock a queue's table, until release.
func locked(t testing.TB, name string) (release func()) {
	t.Helper()
	lock, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	t.Cleanup(func() { _ = lock.Rollback(context.Background()) })
	check.Exec(t, lock, check.Tables(name, `LOCK TABLE {Q}`))
	return func() { check.OK(t, lock.Rollback(t.Context())) }
}

// everyTenthDies is a handler.
func everyTenthDies(_ context.Context, m *queue.Message[check.Order]) error {
	if m.Body.ID%10 == 0 {
		return queue.DeadLetter(check.ErrWork)
	}
	return nil
}

// eachDiesOnce compares the dead letters of a queue with the ids of messages.
func eachDiesOnce(t *testing.T, dead *queue.Queue[check.Order], ids []int64) {
	t.Helper()
	died := map[int64]int{}
	for _, m := range check.Read(t, dead, 10_000) {
		died[check.DeathOf(t, m).ID]++
	}
	check.EachOnce(t, died, ids)
}

func TestADeadLetterThatCannotBeWrittenHoldsUpNothingElse(t *testing.T) {
	check.Parallel(t)
	for name, consumer := range map[string]func(*queue.Queue[check.Order], context.Context, ...queue.ConsumeOption) error{
		"Consume": func(q *queue.Queue[check.Order], ctx context.Context, opts ...queue.ConsumeOption) error {
			return q.Consume(ctx, everyTenthDies, opts...)
		},
		"ConsumeTx": func(q *queue.Queue[check.Order], ctx context.Context, opts ...queue.ConsumeOption) error {
			return q.ConsumeTx(ctx, func(ctx context.Context, _ pgx.Tx, m *queue.Message[check.Order]) error {
				return everyTenthDies(ctx, m)
			}, opts...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const vt = 6 * time.Second
			direct, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
			release := locked(t, dead.Name())
			sent := check.SendBatch(t, direct, check.Numbered(200))
			var poison []int64
			for i := 0; i < len(sent); i += 10 {
				poison = append(poison, sent[i])
			}
			pool := check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = 4 })
			q := check.Open[check.Order](t, pool, direct.Name())
			c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
				return consumer(q, ctx, queue.DeadLetterTo(dead.Name()), queue.VT(vt), observe)
			})
			check.Eventually(t, "the good ones are settled", func() bool { return check.Length(t, direct) == int64(len(poison)) })
			check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventLeaseLost)) >= len(poison) })
			for _, e := range c.Of(queue.EventLeaseLost) {
				check.Is(t, e.Err, check.ErrWork)
				check.SQLState(t, check.As[*pgconn.PgError](t, e.Err), "55P03")
			}
			check.Equal(t, "messages that are done", len(c.Of(queue.EventSettled)), len(sent)-len(poison))
			check.Eventually(t, "the dead are tried again", func() bool { return len(c.Of(queue.EventDelivered)) > len(sent) })
			release()
			check.Eventually(t, "they are dead letters", func() bool { return check.Length(t, direct) == 0 })
			check.OK(t, c.End())
			eachDiesOnce(t, dead, poison)
			check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
		})
	}
}

func TestWhenTheDeadLetterQueueIsDroppedTheOthersGoOn(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	c := check.Consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()), queue.VT(2*time.Second))
	check.Send(t, q, check.Order{ID: 1})
	check.Eventually(t, "it works", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, admin.Drop(t.Context(), pgtest.Pool(), dead.Name()))
	id := check.Send(t, q, check.Order{ID: 10})
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	e := c.Of(queue.EventLeaseLost)[0]
	check.Equal(t, "the message told", e.ID, id)
	check.SQLState(t, check.As[*pgconn.PgError](t, e.Err), "42P01")
	check.Is(t, e.Err, check.ErrWork)
	check.SendBatch(t, q, []check.Order{{ID: 2}, {ID: 3}})
	check.Eventually(t, "the others are settled", func() bool { return len(c.Of(queue.EventSettled)) == 3 })
	check.OK(t, admin.Create(t.Context(), pgtest.Pool(), dead.Name()))
	check.Eventually(t, "it is a dead letter", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	eachDiesOnce(t, dead, []int64{id})
}

// Many dead letters fail: they take no more than one connection of the
// pool, few of them wait, and the others are reported at once.
func TestManyDeadLettersThatCannotBeWrittenAreBounded(t *testing.T) {
	check.Parallel(t)
	dead := pgtest.Queue[check.Order](t)
	release := locked(t, dead.Name())
	pool := check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = 4 })
	const consumers, poison = 4, 5000
	var all [consumers]*check.Consuming
	var direct [consumers]*queue.Queue[check.Order]
	for i := range all {
		direct[i] = pgtest.Queue[check.Order](t)
		all[i] = check.Consume(t, check.Open[check.Order](t, pool, direct[i].Name()), everyTenthDies,
			queue.DeadLetterTo(dead.Name()), queue.VT(time.Hour))
		check.SendBatch(t, direct[i], make([]check.Order, poison))
	}
	blocked := func() int {
		return check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM pg_locks WHERE NOT granted AND relation = ('pgmq.q_' || $1)::regclass`, dead.Name())
	}
	most := 0
	check.Eventually(t, "all are handled", func() bool {
		most = max(most, blocked())
		for _, c := range all {
			if len(c.Of(queue.EventDelivered)) < poison {
				return false
			}
		}
		return true
	})
	for i, c := range all {
		check.Send(t, direct[i], check.Order{ID: 1})
		check.Eventually(t, "a good one is settled", func() bool {
			most = max(most, blocked())
			return len(c.Of(queue.EventSettled)) == 1
		})
		if told := len(c.Of(queue.EventLeaseLost)); told == 0 {
			t.Error("all of them wait")
		}
	}
	check.Equal(t, "connections that wait for the lock", most, 1)
	release()
	for _, c := range all {
		check.Eventually(t, "those that waited are dead letters", func() bool {
			return len(c.Of(queue.EventDeadLettered))+len(c.Of(queue.EventLeaseLost)) == poison
		})
		check.OK(t, c.End())
	}
}

// The server takes its time, but works: then nothing is fetched that would only
// wait.
func TestDeadLettersThatAreSlowToWriteHoldFetchingBack(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	check.Exec(t, pgtest.Pool(), check.Tables(dead.Name(), `
		CREATE FUNCTION pgmq.slowly_`+dead.Name()+`() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
		CREATE TRIGGER slowly BEFORE INSERT ON {Q} EXECUTE FUNCTION pgmq.slowly_`+dead.Name()+`()`))
	t.Cleanup(func() {
		_, err := pgtest.Pool().Exec(context.Background(), `DROP FUNCTION pgmq.slowly_`+dead.Name()+` CASCADE`)
		check.OK(t, err)
	})
	sent := check.SendBatch(t, q, make([]check.Order, 8000))
	c := check.Consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()))
	check.Eventually(t, "the first are dead letters", func() bool { return len(c.Of(queue.EventDeadLettered)) > 0 })
	if n := len(c.Of(queue.EventDelivered)); n > 6000 {
		t.Errorf("%d were delivered", n)
	}
	check.Exec(t, pgtest.Pool(), check.Tables(dead.Name(), `DROP TRIGGER slowly ON {Q}`))
	check.Eventually(t, "all are dead letters", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "deliveries", len(c.Of(queue.EventDelivered)), len(sent))
	check.Equal(t, "leases lost", len(c.Of(queue.EventLeaseLost)), 0)
	eachDiesOnce(t, dead, sent)
}

func TestADeadLetterThatCannotBeWrittenHoldsUpTheEndForNoLongerThanGrace(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	release := locked(t, dead.Name())
	id := check.Send(t, q, check.Order{})
	c := check.Consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()), queue.ShutdownGrace(time.Second))
	check.Eventually(t, "it is handled", func() bool { return len(c.Of(queue.EventDelivered)) == 1 })
	check.Is(t, c.End(), queue.ErrGraceExpired) // the lock is held all the time
	check.Eventually(t, "it is told", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	release()
	check.Eventually(t, "nobody is at the dead letters", func() bool {
		return !check.Value[bool](t, pgtest.Pool(), `SELECT EXISTS (SELECT FROM pg_locks WHERE relation = ('pgmq.q_' || $1)::regclass AND pid <> pg_backend_pid())`, dead.Name())
	})
	check.Equal(t, "messages", check.Length(t, q), 1)
	check.Unhide(t, q)
	check.Consume(t, q, everyTenthDies, queue.DeadLetterTo(dead.Name()))
	check.Eventually(t, "it is a dead letter", func() bool { return check.Length(t, q) == 0 })
	eachDiesOnce(t, dead, []int64{id})
}
