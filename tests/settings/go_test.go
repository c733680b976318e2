package settings

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// inGo are the operations of packages queue and admin.
var inGo = []operation{
	{"send", func(t *testing.T, s site) {
		q := s.queue(t, "sent")
		at := time.Now().Add(-time.Hour)
		check.Send(t, q, orders[0], queue.At(at))
		check.Send(t, q, orders[1], queue.Headers{"a": `b\'"`})
		_, err := q.SendMessages(t.Context(), queue.Outgoing[order]{Body: orders[2], Options: []queue.SendOption{queue.At(at)}})
		check.OK(t, err)
		check.OK(t, q.SendAsync(t.Context(), orders[0], nil, queue.Delay(90*time.Minute)))
		check.OK(t, q.Flush(t.Context()))
		msgs := check.Peek(t, q, 5)
		check.Equal(t, "messages", len(msgs), 4)
		same(t, msgs[:3])
		near(t, "the time of At", msgs[0].VisibleAt, at)
		near(t, "the end of Delay", msgs[3].VisibleAt, time.Now().Add(90*time.Minute))
		near(t, "the time of sending", msgs[3].EnqueuedAt, time.Now())
	}},
	{"read and settle", func(t *testing.T, s site) {
		q := s.filled(t, "read")
		msgs := check.Read(t, q, 5, queue.VT(time.Hour))
		same(t, msgs)
		near(t, "the end of the lease", msgs[0].VisibleAt, time.Now().Add(time.Hour))
		check.OK(t, q.SetVT(t.Context(), 2*time.Hour, msgs...))
		near(t, "the new end", msgs[0].VisibleAt, time.Now().Add(2*time.Hour))
		check.OK(t, q.Delete(t.Context(), msgs[0]))
		check.OK(t, q.Archive(t.Context(), msgs[1:]...))
		check.Is(t, q.Delete(t.Context(), msgs[0]), queue.ErrLeaseLost)
	}},
	{"by id", func(t *testing.T, s site) {
		q := s.filled(t, "by id")
		for _, do := range []func() ([]int64, error){
			func() ([]int64, error) { return q.SetVTID(t.Context(), 0, 1) },
			func() ([]int64, error) { return q.DeleteID(t.Context(), 2) },
			func() ([]int64, error) { return q.ArchiveID(t.Context(), 3) },
		} {
			ids, err := do()
			check.OK(t, err)
			check.Equal(t, "ids", len(ids), 1)
		}
	}},
	{"pop", func(t *testing.T, s site) {
		msgs, err := s.filled(t, "popped").Pop(t.Context(), 5)
		check.OK(t, err)
		same(t, msgs)
	}},
	{"transaction", func(t *testing.T, s site) {
		q := s.filled(t, "in a transaction")
		check.OK(t, pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
			q := q.WithTx(tx)
			msgs := check.Read(t, q, 5)
			same(t, msgs)
			check.Send(t, q, orders[0])
			return q.Delete(t.Context(), msgs...)
		}))
		check.ReadOne(t, q)
	}},
	{"consume", func(t *testing.T, s site) {
		q, dead := s.filled(t, "consumed"), s.queue(t, "dead")
		c := check.Consume(t, q, func(_ context.Context, m *queue.Message[order]) error {
			if m.Body.N == 1 && m.Reads > 1 {
				return nil
			}
			return check.ErrWork
		}, queue.MaxReads(2), queue.DeadLetterTo(dead.Name()), queue.Backoff(func(int) time.Duration { return time.Millisecond }))
		check.Eventually(t, "all are done", func() bool { return length(t, s, q) == 0 && length(t, s, dead) == 2 })
		check.EndAll(t, c)
		msgs := check.Read(t, dead, 2)
		near(t, "the time of the death", check.DeathOf(t, msgs[0]).DeadAt, time.Now())
		check.Equal(t, "tellings of an outage", len(c.Of(queue.EventOutage)), 0)
		moved, err := admin.Redrive(t.Context(), s.pool, dead.Name(), admin.ForReason(queue.ReasonMaxReads))
		check.OK(t, err)
		check.Equal(t, "redriven", moved, int64(0)) // they are hidden
		check.OK(t, dead.SetVT(t.Context(), 0, msgs...))
		moved, err = admin.Redrive(t.Context(), s.pool, dead.Name(), admin.ForReason(queue.ReasonMaxReads))
		check.OK(t, err)
		check.Equal(t, "redriven", moved, int64(2))
	}},
	{"consume in transactions and in batches", func(t *testing.T, s site) {
		q := s.filled(t, "by ConsumeTx")
		c := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
			return q.ConsumeTx(ctx, func(context.Context, pgx.Tx, *queue.Message[order]) error { return nil }, observe, queue.Workers(1))
		})
		q2 := s.filled(t, "by ConsumeBatch")
		c2 := check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
			return q2.ConsumeBatch(ctx, func(context.Context, []*queue.Message[order]) error { return nil }, observe, queue.ArchiveDone{})
		})
		check.Eventually(t, "all are done", func() bool { return length(t, s, q)+length(t, s, q2) == 0 })
		check.EndAll(t, c, c2)
		check.Equal(t, "tellings of an outage", len(c.Of(queue.EventOutage))+len(c2.Of(queue.EventOutage)), 0)
	}},
	{"archive", func(t *testing.T, s site) {
		q := s.filled(t, "archived")
		_, err := q.ArchiveID(t.Context(), 1, 2, 3)
		check.OK(t, err)
		for m, err := range q.Archived(t.Context(), queue.Since(time.Now().Add(-time.Hour))) {
			check.OK(t, err)
			near(t, "the time of archiving", m.ArchivedAt, time.Now())
		}
		replayed, err := admin.Replay(t.Context(), s.pool, q.Name(), admin.Until(time.Now().Add(time.Hour)))
		check.OK(t, err)
		check.Equal(t, "replayed", replayed, int64(3))
		_, err = q.ArchiveID(t.Context(), 4, 5, 6)
		check.OK(t, err)
		pruned, err := admin.Prune(t.Context(), s.pool, q.Name(), time.Now().Add(time.Hour))
		check.OK(t, err)
		check.Equal(t, "pruned", pruned, int64(3))
	}},
	{"admin", func(t *testing.T, s site) {
		q := s.filled(t, "Überwacht")
		check.OK(t, admin.Create(t.Context(), s.pool, "unlogged", admin.Unlogged))
		stats, err := admin.Stats(t.Context(), s.pool, q.Name())
		check.OK(t, err)
		near(t, "the time of counting", stats.At, time.Now())
		near(t, "the oldest", stats.Oldest, time.Now())
		metrics, err := admin.Metrics(t.Context(), s.pool)
		check.OK(t, err)
		check.Equal(t, "the lengths", slices.ContainsFunc(metrics, func(m admin.QueueMetrics) bool { return m.Name == q.Name() && m.Messages.Length == 3 }), true)
		d, err := admin.Describe(t.Context(), s.pool, q.Name())
		check.OK(t, err)
		check.Equal(t, "the key", d.Queue.Indexes[0].Definition, "btree (msg_id)")
		near(t, "the time of making", d.CreatedAt, time.Now())
		infos, err := admin.List(t.Context(), s.pool)
		check.OK(t, err)
		near(t, "the time of making", infos[0].CreatedAt, time.Now())
		now, err := admin.Now(t.Context(), s.pool)
		check.OK(t, err)
		near(t, "the clock", now, time.Now())
		purged, err := admin.Purge(t.Context(), s.pool, q.Name())
		check.OK(t, err)
		check.Equal(t, "purged", purged, int64(3))
		check.OK(t, admin.DropEmpty(t.Context(), s.pool, q.Name()))
	}},
	{"partitions", func(t *testing.T, s site) {
		for name, sizes := range map[string][2]string{"parts by day": {"1 day", "30 days"}, "parts by month": {"1 month", "1 year"}, "parts by id": {"10", "100"}} {
			check.Exec(t, s.pool, `SELECT pgmq.create_partitioned($1, $2, $3)`, name, sizes[0], sizes[1])
			q := check.Open[order](t, s.pool, name)
			check.SendBatch(t, q, orders)
			check.OK(t, admin.Maintain(t.Context(), s.pool, name))
			msgs := check.Read(t, q, 5)
			same(t, msgs)
			check.OK(t, q.Archive(t.Context(), msgs...))
			_, err := admin.Describe(t.Context(), s.pool, name)
			check.OK(t, err)
		}
		check.OK(t, admin.MaintainAll(t.Context(), s.pool))
	}},
}

func length(t testing.TB, s site, q *queue.Queue[order]) int64 {
	t.Helper()
	stats, err := admin.Stats(t.Context(), s.pool, q.Name())
	check.OK(t, err)
	return stats.Length
}

// near fails the test unless the two times differ by less than minutes: a time zone
// would make hours of it.
func near(t testing.TB, what string, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want).Abs(); d > 10*time.Minute {
		t.Fatalf("%s is %v, not %v", what, got, want)
	}
}
