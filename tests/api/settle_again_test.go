package api

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A message is handled and cannot be settled, because another that cannot be
// archived is in the way. Its lease goes on, up to MaxLease; then it is handled
// again, and two deliveries of it wait.
func TestOfTwoDeliveriesThatWaitToBeSettledOnlyTheLatterIs(t *testing.T) {
	check.Parallel(t)
	const other, works, vt = 1, 2, 2 * time.Second
	q := pgtest.Queue[int64](t)
	lock, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	defer func() { _ = lock.Rollback(context.Background()) }()
	check.Exec(t, lock, check.Tables(q.Name(), "LOCK TABLE {A}"))

	var done atomic.Int64
	c := check.Consume(t, q, func(_ context.Context, m *queue.Message[int64]) error {
		if m.Body == works {
			done.Add(1)
		}
		return nil
	}, queue.VT(vt), queue.MaxLease(3*vt), queue.ArchiveDone{})
	check.Send(t, q, other)
	check.Eventually(t, "the other one waits to be archived", func() bool {
		return check.Value[bool](t, pgtest.Pool(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = ('pgmq.a_' || $1)::regclass)", q.Name())
	})
	id := check.Send(t, q, works)
	check.Eventually(t, "the message was handled", func() bool { return done.Load() == 1 })
	was := check.ServerTime(t)
	check.Eventually(t, "its lease is extended while it waits", func() bool {
		return check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT vt > $2 AND read_ct = 1 FROM {Q} WHERE msg_id = $1`), id, was.Add(vt+vt/2))
	})
	check.Eventually(t, "it was handled twice", func() bool { return done.Load() == 2 })
	check.OK(t, lock.Rollback(t.Context()))
	ends := func(kind queue.EventKind) (reads []int) {
		for _, e := range c.Of(kind) {
			if e.ID == id {
				reads = append(reads, e.Reads)
			}
		}
		return reads
	}
	check.Eventually(t, "it is told how both ended", func() bool { return len(ends(queue.EventSettled))+len(ends(queue.EventLeaseLost)) == 2 })
	check.EndAll(t, c)
	if settled, lost := ends(queue.EventSettled), ends(queue.EventLeaseLost); !slices.Equal(settled, []int{2}) || !slices.Equal(lost, []int{1}) {
		t.Errorf("settled were deliveries %v, lost %v", settled, lost)
	}
}
