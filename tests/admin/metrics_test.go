package admin

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func metricsOf(t testing.TB, db queue.DB, name string) admin.QueueMetrics {
	t.Helper()
	all, err := admin.Metrics(t.Context(), db, name)
	check.OK(t, err)
	check.Equal(t, "queues", len(all), 1)
	return all[0]
}

func TestMetricsCountAShortQueue(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	empty := metricsOf(t, pgtest.Pool(), q.Name())
	check.Equal(t, "the name", empty.Name, q.Name())
	check.Equal(t, "the length", empty.Messages.Length, 0)
	check.Equal(t, "the newest of none", empty.Messages.Newest.IsZero(), true)
	check.Equal(t, "the oldest visible of none", empty.Messages.OldestVisible.IsZero(), true)
	check.Equal(t, "the archive", empty.ArchiveLength, 0)

	check.SendBatch(t, q, []int{1, 2, 3})
	check.Send(t, q, 4, queue.Delay(time.Hour))
	check.Read(t, q, 1)
	m := metricsOf(t, pgtest.Pool(), q.Name()).Messages
	check.Equal(t, "the length", m.Length, 4)
	check.Equal(t, "visible", m.Visible, 2)
	check.Equal(t, "in flight", m.InFlight, 1)
	check.Equal(t, "delayed", m.Delayed, 1)
	check.Equal(t, "estimated", m.Estimated, false)
	check.Equal(t, "the most reads", m.MaxReads, 1)
	check.Equal(t, "the last id", m.LastID, 4)
	check.Equal(t, "in order", !m.OldestVisible.After(m.Newest) && !m.Newest.After(m.At), true)
	if size := metricsOf(t, pgtest.Pool(), q.Name()).TableBytes; size <= 0 {
		t.Errorf("the table has %d bytes", size)
	}
}

func TestMetricsOfALongQueueAreEstimates(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message, headers)
		SELECT now(), '1', jsonb_build_object('x', repeat(i::text, 300)) FROM generate_series(1, 40000) AS i`))
	m := metricsOf(t, pgtest.Pool(), q.Name()).Messages
	check.Equal(t, "estimated", m.Estimated, true)
	if m.Length < 30_000 || m.Length > 50_000 {
		t.Errorf("%d messages are estimated, of 40,000", m.Length)
	}
}

func TestMetricsAndDescribeNameWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	pool := check.OwnDatabase(t)
	for _, name := range []string{"closed", "gone", "open"} {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	check.Exec(t, pool, `DROP TABLE pgmq.q_gone`)
	role := check.RoleOn(t, pool, "looks", `GRANT USAGE ON SCHEMA pgmq`, `GRANT SELECT ON pgmq.meta, pgmq.q_open, pgmq.q_open_msg_id_seq`)
	all, err := admin.Metrics(t.Context(), role)
	check.OK(t, err)
	check.Equal(t, "queues", len(all), 3)
	check.Equal(t, "the first", all[0].Name, "closed")
	check.Equal(t, "its code", check.As[*pgconn.PgError](t, all[0].Err).Code, check.InsufficientPrivilege)
	check.Is(t, all[1].Err, queue.ErrNoQueue)
	check.OK(t, all[2].Err)
	check.Equal(t, "figures", all[0].Messages == nil && all[1].Messages == nil && all[2].Messages != nil, true)

	d, err := admin.Describe(t.Context(), role, "closed")
	check.OK(t, err)
	check.EqualAll(t, "unreadable", d.Unreadable, []string{"messages", "partitions", "notifications", "topics", "headers"})
	d, err = admin.Describe(t.Context(), pool, "gone")
	check.OK(t, err)
	check.Equal(t, "its table", d.Queue == nil && d.Archive != nil, true)
	check.Is(t, d.Metrics.Err, queue.ErrNoQueue)
}

func TestMetricsAreOfNamedQueuesInTheirOrder(t *testing.T) {
	t.Parallel()
	pool := check.OwnDatabase(t)
	none, err := admin.Metrics(t.Context(), pool)
	check.OK(t, err)
	check.Equal(t, "queues", len(none), 0)
	for _, name := range []string{"a", "b"} {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	all, err := admin.Metrics(t.Context(), pool, "B", "a")
	check.OK(t, err)
	check.Equal(t, "names", all[0].Name+all[1].Name, "ba")
	_, err = admin.Metrics(t.Context(), pool, "a", "c")
	check.Is(t, err, queue.ErrNoQueue)
	check.Contains(t, err.Error(), `queue "c"`)
	_, err = admin.Metrics(t.Context(), pool, "a;b")
	check.Is(t, err, queue.ErrInvalidName)
	_, err = admin.Metrics(t.Context(), pgtest.Database(t))
	check.Is(t, err, queue.ErrNoSchema)
	_, err = admin.Describe(t.Context(), pgtest.Database(t), "a")
	check.Is(t, err, queue.ErrNoSchema)
	_, err = admin.Redrive(t.Context(), pgtest.Database(t), "a")
	check.Is(t, err, queue.ErrNoSchema)
}

func TestDescribeHasEverythingAboutAQueue(t *testing.T) {
	t.Parallel()
	pool := check.OwnDatabase(t)
	check.OK(t, admin.Create(t.Context(), pool, "Orders", admin.Unlogged))
	plain, err := admin.Describe(t.Context(), pool, "orders")
	check.OK(t, err)
	check.Equal(t, "the name", plain.Name, "Orders")
	check.Equal(t, "the storage", plain.Storage, admin.Unlogged)
	check.Equal(t, "partitioned", plain.Partitioned, false)
	check.Equal(t, "settings", plain.Notify == nil && len(plain.Topics) == 0 && len(plain.DeadLetters) == 0 && len(plain.Unreadable) == 0, true)
	check.Equal(t, "the table", plain.Queue.Name+" "+plain.Archive.Name, "q_orders a_orders")
	check.Equal(t, "the first index", plain.Queue.Indexes[0].Definition, "btree (msg_id)")
	check.Equal(t, "vacuumed", plain.Queue.VacuumedAt == nil, true)

	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert('Orders', 500), pgmq.bind_topic('orders.*.eu', 'Orders'), pgmq.bind_topic('all.#', 'Orders')`)
	check.Exec(t, pool, `GRANT SELECT ON pgmq.q_orders TO PUBLIC`)
	check.SendBatch(t, check.Open[int](t, pool, "Orders"), make([]int, 3), diedIn("invoices"))
	check.Send(t, check.Open[int](t, pool, "Orders"), 1)
	check.Exec(t, pool, `VACUUM pgmq.q_orders`)
	full, err := admin.Describe(t.Context(), pool, "Orders")
	check.OK(t, err)
	check.Equal(t, "the length", full.Metrics.Messages.Length, 4)
	check.Equal(t, "the throttle", full.Notify.ThrottleMs, 500)
	check.EqualAll(t, "topics", full.Topics, []string{"all.#", "orders.*.eu"})
	check.EqualAll(t, "dead letters", full.DeadLetters, []admin.Origin{{Queue: "invoices", Messages: 3}})
	check.Equal(t, "grants to PUBLIC", full.Queue.Grants["PUBLIC"], "SELECT")
	check.Equal(t, "vacuumed", full.Queue.VacuumedAt != nil, true)

	check.Exec(t, pool, `SELECT pgmq.create_partitioned('events', '10000', '100000')`)
	parts, err := admin.Describe(t.Context(), pool, "events")
	check.OK(t, err)
	check.Equal(t, "partitioned", parts.Partitioned, true)
	check.Equal(t, "the interval", parts.Queue.Partitioning.Interval, "10000")
	if parts.Queue.Partitions < 2 {
		t.Errorf("%d partitions", parts.Queue.Partitions)
	}
	_, err = admin.Describe(t.Context(), pool, "no such")
	check.Is(t, err, queue.ErrNoQueue)
}
