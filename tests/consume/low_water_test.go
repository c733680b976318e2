package consume

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// wall leaves n dead messages at the beginning of a queue.
func wall(t testing.TB, name string, n int) {
	t.Helper()
	check.Exec(t, pgtest.Pool(), check.Tables(name, `INSERT INTO {Q} (vt, message) SELECT now(), '0' FROM generate_series(1, $1)`), n)
	check.Exec(t, pgtest.Pool(), check.Tables(name, `UPDATE {Q} SET read_ct = 1, last_read_at = now(), vt = now()`))
	check.Exec(t, pgtest.Pool(), check.Tables(name, `DELETE FROM {Q}`))
}

// entriesRead is how many entries of a queue's primary key were read, dead or not.
func entriesRead(t testing.TB, name string) int64 {
	t.Helper()
	return check.Value[int64](t, pgtest.Pool(), check.Tables(name, `
		SELECT sum(idx_tup_read)::bigint FROM pg_stat_all_indexes WHERE relid = '{Q}'::regclass`))
}

func TestWhatAConsumerReadsDoesNotGrowWithTheDead(t *testing.T) {
	check.Parallel(t)
	const dead, messages = 100_000, 300 // so many that they are slow on a fast machine, too
	q := pgtest.Queue[int](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} SET (autovacuum_enabled = off)`))
	check.HoldHorizon(t)
	wall(t, q.Name(), dead)
	pool := check.NewPool(t, func(*pgxpool.Config) {})
	done := make(chan int, 1)
	c := check.Consume(t, check.Open[int](t, pool, q.Name()), func(_ context.Context, m *queue.Message[int]) error {
		check.Put(done, m.Body)
		return nil
	})
	for i := range messages {
		check.Send(t, q, i)
		check.Equal(t, "the message", check.Receive(t, done), i)
	}
	check.OK(t, c.End())
	pool.Close()
	var read int64
	check.Eventually(t, "its connections have reported", func() bool {
		before := read
		read = entriesRead(t, q.Name())
		return read > 0 && read == before
	})
	t.Logf("%d entries of the index read, for %d messages behind %d dead ones", read, messages, dead)
	if read > messages*dead/4 {
		t.Errorf("%d entries of the index were read for %d messages behind %d dead ones", read, messages, dead)
	}
}

// On a slow machine it takes minutes: the consumer rests twenty times as long as a
// step below the mark takes.
func TestWhatCameBackBehindABusyConsumerIsFound(t *testing.T) {
	check.Slow(t)
	for _, how := range []struct {
		name string
		n    int
	}{{"one", 1}, {"more than a look names", 2500}} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			const backlog, returns = 50_000, -1
			q := pgtest.Queue[int](t)
			check.HoldHorizon(t)
			wall(t, q.Name(), 1000)
			ids := make([]int, how.n)
			for i := range ids {
				ids[i] = returns
			}
			check.SendBatch(t, q, ids)
			check.Equal(t, "held by another", len(check.Read(t, q, how.n, queue.VT(time.Hour))), how.n)
			check.SendBatch(t, q, make([]int, backlog))
			var back, others atomic.Int64
			check.Consume(t, q, func(_ context.Context, m *queue.Message[int]) error {
				if m.Body == returns {
					back.Add(1)
					return nil
				}
				others.Add(1)
				time.Sleep(20 * time.Millisecond) // so that there are others for longer than this test waits
				return nil
			}, queue.Workers(4))
			check.Eventually(t, "the low-water mark has passed them", func() bool { return others.Load() > 300 })
			// Nobody notifies it, as when a lease ends.
			check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {Q} SET vt = now() WHERE message = '-1'`))
			check.Eventually(t, "they are delivered", func() bool { return back.Load() == int64(how.n) })
		})
	}
}

// An id is drawn before its transaction commits: others overtake it.
func TestAMessageWhoseSenderTookItsTimeIsNotOverlooked(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	var late atomic.Int64
	var others atomic.Int64
	check.Consume(t, q, func(_ context.Context, m *queue.Message[int]) error {
		if m.Body < 0 {
			late.Add(1)
		} else {
			others.Add(1)
		}
		return nil
	})
	for round := range 3 {
		check.OK(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
			_, err := q.WithTx(tx).Send(t.Context(), -1)
			for range 100 {
				check.Send(t, q, 1)
			}
			check.Eventually(t, "the others are handled", func() bool { return others.Load() == int64(100*(round+1)) })
			return err
		}))
		check.Eventually(t, "the late one is handled", func() bool { return late.Load() == int64(round+1) })
	}
}

func TestAReadGoesBelowItsLowWaterMarkBeforeItSaysThatThereIsNoMore(t *testing.T) {
	check.Parallel(t)
	check.HoldHorizon(t)
	read := func(q *queue.Queue[int]) (id int64) {
		for _, m := range check.Read(t, q, 1, queue.VT(time.Hour)) {
			id = m.ID
		}
		return id
	}
	pop := func(q *queue.Queue[int]) (id int64) {
		msgs, err := q.Pop(t.Context(), 1)
		check.OK(t, err)
		for _, m := range msgs {
			id = m.ID
		}
		return id
	}
	for what, take := range map[string]func(*queue.Queue[int]) int64{"read": read, "popped": pop} {
		// Where reading from the beginning takes long, as on a machine that is busy,
		// it is not done each time.
		for try := 1; ; try++ {
			q := pgtest.Queue[int](t)
			wall(t, q.Name(), 3000)
			first := check.SendBatch(t, q, make([]int, 100))
			for range 10 {
				for _, m := range check.Read(t, q, 10, queue.VT(time.Hour)) {
					if m.ID != first[0] {
						check.OK(t, q.Delete(t.Context(), m))
					}
				}
			}
			check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {Q} SET vt = now() WHERE msg_id = $1`), first[0])
			id := take(q)
			if id == first[0] {
				break
			}
			if id != 0 || try == 20 {
				t.Fatalf("message %d was %s, and not %d, which came back", id, what, first[0])
			}
		}
	}
}
