package sql

import (
	"math"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

type metrics struct {
	Length, Visible, Total int64
	Newest, Oldest         *int
}

func metricsOf(t testing.TB, name string) metrics {
	t.Helper()
	var m metrics
	check.OK(t, pgtest.Pool().QueryRow(t.Context(), `
		SELECT queue_length, queue_visible_length, total_messages, newest_msg_age_sec, oldest_msg_age_sec
		FROM pgmq.metrics($1)`, name).Scan(&m.Length, &m.Visible, &m.Total, &m.Newest, &m.Oldest))
	return m
}

func TestMetricsCountExactlyWhereThatIsCheap(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	m := metricsOf(t, q.Name())
	check.Equal(t, "of an empty queue", m, metrics{})
	check.SendBatch(t, q, make([]int, 6))
	check.Read(t, q, 2)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {Q} SET enqueued_at = now() - interval '100 s' * msg_id`))
	if _, err := q.DeleteID(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	m = metricsOf(t, q.Name())
	check.Equal(t, "length", m.Length, 5)
	check.Equal(t, "visible", m.Visible, 3)
	check.Equal(t, "total", m.Total, 6)
	if *m.Newest < 100 || *m.Newest > 110 || *m.Oldest < 500 || *m.Oldest > 510 {
		t.Errorf("ages %d and %d", *m.Newest, *m.Oldest)
	}
}

func TestMetricsOfALongQueueReadASample(t *testing.T) {
	check.Parallel(t)
	pool, q := pgtest.Pool(), pgtest.Queue[int](t)
	const messages = 500_000 // 70 MB
	check.Exec(t, pool, check.Tables(q.Name(), `
		INSERT INTO {Q} (vt, enqueued_at, message)
		SELECT now() + (i % 4 - 3) * interval '1 hour' + interval '1 minute', now() - (500001 - i) * interval '1 s', to_jsonb(i) FROM generate_series(1, 500000) AS i`))
	var m metrics
	var blocks int64
	check.OK(t, pool.QueryRow(t.Context(), check.Tables(q.Name(), `SELECT pg_relation_size('{Q}') / 8192`)).Scan(&blocks))
	if blocks < 2*4096 {
		t.Fatalf("only %d blocks: not long enough", blocks)
	}
	m = metricsOf(t, q.Name())
	near := func(what string, got, want int64) {
		if math.Abs(float64(got-want)) > 0.15*float64(want) {
			t.Errorf("%s is %d, far from %d", what, got, want)
		}
	}
	near("length", m.Length, messages)
	near("visible", m.Visible, messages*3/4)
	check.Equal(t, "total", m.Total, messages)
	near("the oldest age", int64(*m.Oldest), messages)
	if *m.Newest < 1 || *m.Newest > 300 { // since the messages were inserted
		t.Errorf("the newest age is %d", *m.Newest)
	}
}

func TestMetricsOfAllSurviveAnOrphanedRow(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	for _, name := range []string{"a", "B", "gone"} {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	check.Exec(t, pool, `DROP TABLE pgmq.q_gone`)
	check.Same(t, "queues", check.Values[string](t, pool, `SELECT concat_ws(' ', queue_name, queue_length) FROM pgmq.metrics_all() ORDER BY 1`), []string{"B 0", "a 0", "gone"})
	_, err := pool.Exec(t.Context(), `SELECT pgmq.metrics('gone')`)
	check.SQLState(t, err, "42P01")
}
