package consume

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func scan(t testing.TB, name string, p db.ScanParams) db.ScanRow {
	t.Helper()
	if p.Before == 0 {
		p.Before = math.MaxInt64
	}
	if p.Most == 0 {
		p.Most = 1000
	}
	o, err := db.New().Scan(t.Context(), tab.New(name).Indexed(pgtest.Pool()), p)
	check.OK(t, err)
	check.Equal(t, "times for ids", len(o.DueIns), len(o.MsgIDs))
	return o
}

func TestAScanReturnsWhatIsVisibleAndWhatFallsDue(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	name := q.Name()
	check.Equal(t, "in an empty queue", len(scan(t, name, db.ScanParams{}).MsgIDs), 0)
	var ids []int64
	for _, delay := range []time.Duration{2 * time.Hour, 0, time.Hour, 0, 3 * time.Hour} {
		ids = append(ids, check.Send(t, q, 1, queue.Delay(delay)))
	}
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.send($1, '1', 'infinity'::timestamptz)`, name)

	named := func(o db.ScanRow, what string, want ...int64) {
		t.Helper()
		if !slices.Equal(o.MsgIDs, want) {
			t.Fatalf("%s: %v, not %v", what, o.MsgIDs, want)
		}
	}
	o := scan(t, name, db.ScanParams{Within: 150 * time.Minute})
	named(o, "the visible in order, then what falls due", ids[1], ids[3], ids[2], ids[0])
	check.Equal(t, "the highest id", o.Last, ids[4]+1)
	for i, want := range []float64{0, 0, 3600, 7200} {
		if got := o.DueIns[i]; got > want || got < want-600 {
			t.Errorf("message %d is due in %v s, not %v", o.MsgIDs[i], got, want)
		}
	}
	o = scan(t, name, db.ScanParams{First: ids[1] + 1, Before: ids[3], Within: 150 * time.Minute})
	named(o, "in a range", ids[2])
	check.Equal(t, "the highest id there", o.Last, ids[2])
	o = scan(t, name, db.ScanParams{Within: 150 * time.Minute, Most: 3})
	named(o, "no more than three", ids[1], ids[3], ids[2])
}

func TestAScanKnowsWhichTransactionsMayHaveSent(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	conn := check.Connection(t, pgtest.Pool())
	check.Exec(t, conn, `BEGIN`)
	check.Send(t, check.Open[int](t, conn, q.Name()), 1)
	id := check.Value[int64](t, conn, `SELECT pg_current_xact_id()::text::bigint`)
	if o := scan(t, q.Name(), db.ScanParams{}); o.OldestRunning > id || o.NextID <= id {
		t.Fatalf("transaction %d is not in %+v", id, o)
	}
	check.Exec(t, conn, `COMMIT`)
	check.Eventually(t, "it has ended", func() bool { return scan(t, q.Name(), db.ScanParams{}).OldestRunning > id })
}
