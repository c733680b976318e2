package tests

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// A message is handled and cannot be settled, because another that cannot be
// archived is in the way. Its lease goes on, up to MaxLease; then it is handled
// again, and two deliveries of it wait.
func TestOfTwoDeliveriesThatWaitToBeSettledOnlyTheLatterIs(t *testing.T) {
	t.Parallel()
	const other, works = 1, 2
	q := pgtest.Queue[int64](t)
	lock, err := pgtest.Pool().Begin(t.Context())
	ok(t, err)
	defer func() { _ = lock.Rollback(context.Background()) }()
	exec(t, lock, tables(q.Name(), "LOCK TABLE {A}"))

	var done atomic.Int64
	c := consume(t, q, func(_ context.Context, m *queue.Message[int64]) error {
		if m.Body == works {
			done.Add(1)
		}
		return nil
	}, queue.VT(time.Second), queue.MaxLease(3*time.Second), queue.KeepArchive{})
	send(t, q, other)
	eventually(t, "the other one waits to be archived", func() bool {
		return value[bool](t, pgtest.Pool(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = ('pgmq.a_' || $1)::regclass)", q.Name())
	})
	id := send(t, q, works)
	eventually(t, "the message was handled", func() bool { return done.Load() == 1 })
	time.Sleep(2 * time.Second)
	if done.Load() != 1 {
		t.Error("its lease was not extended while it waited")
	}
	eventually(t, "it was handled twice", func() bool { return done.Load() == 2 })
	ok(t, lock.Rollback(t.Context()))
	ends := func(kind queue.EventKind) (reads []int) {
		for _, e := range c.of(kind) {
			if e.ID == id {
				reads = append(reads, e.Reads)
			}
		}
		return reads
	}
	eventually(t, "it is told how both ended", func() bool { return len(ends(queue.Settled))+len(ends(queue.LeaseLost)) == 2 })
	quiet(t, c)
	if settled, lost := ends(queue.Settled), ends(queue.LeaseLost); !slices.Equal(settled, []int{2}) || !slices.Equal(lost, []int{1}) {
		t.Errorf("settled were deliveries %v, lost %v", settled, lost)
	}
}
