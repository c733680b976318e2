package faults

import (
	"context"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestADroppedTableUnderARunningReader(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	failed := make(chan error, 1)
	reading := make(chan struct{})
	go func() {
		close(reading)
		_, err := q.Read(context.Background(), 1, queue.WaitFor(check.Patience))
		failed <- err
	}()
	check.Receive(t, reading)
	check.OK(t, admin.Drop(t.Context(), pgtest.Pool(), q.Name()))
	check.Is(t, check.Receive(t, failed), queue.ErrNoQueue)

	check.OK(t, admin.Create(t.Context(), pgtest.Pool(), q.Name()))
	check.Send(t, q, check.Order{ID: 1})
	check.OK(t, q.Delete(t.Context(), check.ReadOne(t, q)))
}

func TestNoAcknowledgedMessageIsLostWhenBackendsAreKilled(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	check.OK(t, admin.Create(t.Context(), pool, "q"))
	q := check.Open[check.Order](t, pool, "q")
	adminConn := pgtest.Pool()

	acknowledged := map[int64]bool{}
	failures, kills := 0, 0
	for end := time.Now().Add(check.Patience); kills < 10 || len(acknowledged) < 200; {
		if time.Now().After(end) {
			t.Fatalf("only %d sends and %d kills", len(acknowledged), kills)
		}
		if id, err := q.Send(t.Context(), check.Order{ID: int64(len(acknowledged))}); err == nil {
			acknowledged[id] = true
		} else {
			failures++
		}
		if len(acknowledged)%20 == 10 {
			check.Exec(t, adminConn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, pool.Config().ConnConfig.Database)
			kills++
		}
	}
	if failures == 0 {
		t.Fatal("no send met a killed backend")
	}

	check.Eventually(t, "everything acknowledged was read", func() bool {
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
