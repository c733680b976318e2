package tests

import (
	"context"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestADroppedTableUnderARunningReader(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	failed := make(chan error, 1)
	reading := make(chan struct{})
	go func() {
		close(reading)
		_, err := q.Read(context.Background(), 1, queue.Wait(patience))
		failed <- err
	}()
	<-reading
	ok(t, queue.Drop(t.Context(), pgtest.Pool(), q.Name()))
	is(t, <-failed, queue.ErrNoQueue)

	ok(t, queue.Create(t.Context(), pgtest.Pool(), q.Name()))
	send(t, q, Order{ID: 1})
	ok(t, q.Delete(t.Context(), readOne(t, q)))
}

func TestNoAcknowledgedMessageIsLostWhenBackendsAreKilled(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	ok(t, queue.Create(t.Context(), pool, "q"))
	q := open[Order](t, pool, "q")
	admin := pgtest.Pool()

	acknowledged := map[int64]bool{}
	failures, kills := 0, 0
	for end := time.Now().Add(patience); kills < 10 || len(acknowledged) < 200; {
		if time.Now().After(end) {
			t.Fatalf("only %d sends and %d kills", len(acknowledged), kills)
		}
		if id, err := q.Send(t.Context(), Order{ID: int64(len(acknowledged))}); err == nil {
			acknowledged[id] = true
		} else {
			failures++
		}
		if len(acknowledged)%20 == 10 {
			exec(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, pool.Config().ConnConfig.Database)
			kills++
		}
	}
	if failures == 0 {
		t.Fatal("no send met a killed backend")
	}

	eventually(t, "everything acknowledged was read", func() bool {
		msgs, err := q.Read(t.Context(), 100)
		if err != nil {
			return false
		}
		for _, m := range msgs {
			delete(acknowledged, m.ID)
		}
		return len(acknowledged) == 0
	})
}
