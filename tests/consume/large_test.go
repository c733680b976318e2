package consume

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// insertLarge adds n messages of size bytes, which compress well.
func insertLarge(t *testing.T, q *queue.Queue[json.RawMessage], n, size int) {
	t.Helper()
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message)
		SELECT now(), to_jsonb(repeat('x', $2 - 2)) FROM generate_series(1, $1)`), n, size)
}

func TestTwoMiBAreFetchedAtOnce(t *testing.T) {
	check.Slow(t)
	q := pgtest.Queue[json.RawMessage](t)
	const backlog, size = 300, 64 << 10
	var done atomic.Int64
	c := check.Consume(t, q, func(context.Context, *queue.Message[json.RawMessage]) error {
		done.Add(1)
		return nil
	}, queue.Workers(64), queue.NoPrefetch, queue.ArchiveDone{})
	insertLarge(t, q, 1, size) // the consumer expects the next ones to be of this size
	check.Eventually(t, "the first is handled", func() bool { return done.Load() == 1 })
	insertLarge(t, q, backlog, size) // there is room for 64 at least
	check.Eventually(t, "the queue is empty", func() bool { return check.Length(t, q) == 0 })
	check.OK(t, c.End())
	check.Equal(t, "the largest number of messages fetched by one statement", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(),
		`SELECT max(n)::int FROM (SELECT count(*) AS n FROM {A} GROUP BY last_read_at) AS fetches`)), 2<<20/size)
}

func TestSixteenMiBAreFetchedAhead(t *testing.T) {
	check.Slow(t)
	q := pgtest.Queue[json.RawMessage](t)
	const quick, size, workers = 400, 256 << 10, 8
	insertLarge(t, q, 2*quick, size)
	// To end as a dead letter takes no time, not even that of parsing.
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {Q} SET read_ct = 1 WHERE msg_id <= $1`), quick)
	pool, statements := traced(t, pgtest.Pool())
	release := make(chan struct{})
	var began atomic.Int64
	c := check.Consume(t, check.Open[json.RawMessage](t, pool, q.Name()), func(context.Context, *queue.Message[json.RawMessage]) error {
		began.Add(1)
		check.Hold(release)
		return nil
	}, queue.Workers(workers), queue.MaxReads(1), queue.VT(time.Hour))
	check.Eventually(t, "the workers wait and all else is settled", func() bool {
		return began.Load() == workers && check.Length(t, q) == quick
	})
	statements.Rest(t) // all is fetched that there is room for
	out := check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(*)::int FROM {Q} WHERE vt > now()`))
	if most := workers + 16<<20/size; out > most {
		t.Errorf("%d messages are out, more than %d", out, most)
	}
	close(release)
	check.OK(t, c.End())
}
