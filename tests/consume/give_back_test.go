package consume

import (
	"slices"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestAMessageThatIsGivenBackWasNeverRead(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	bound := tab.New(q.Name()).Bind(pgtest.Pool())
	sent := check.SendBatch(t, q, []int{1, 2})
	m := check.Read(t, q, 2)[0]
	check.Unhide(t, q)
	p := check.Receipts(t, q.Name())
	given := db.GiveBackParams{MsgIDs: p.MsgIDs, ReadCts: p.ReadCts, LastReadAts: p.LastReadAts}
	for _, want := range []int{2, 0} { // the receipts hold no longer
		back, err := db.New().GiveBack(t.Context(), bound, given)
		check.OK(t, err)
		check.Equal(t, "given back", len(back), want)
	}
	check.Is(t, q.Delete(t.Context(), m), queue.ErrLeaseLost)
	again := check.Read(t, q, 2)
	check.Equal(t, "read again at once", len(again), 2)
	check.Equal(t, "reads", again[0].Reads, 2)
	back, err := db.New().GiveBack(t.Context(), bound, given)
	check.OK(t, err)
	check.Equal(t, "given back with the receipt of an earlier read", len(back), 0)
	check.OK(t, q.Delete(t.Context(), again...))
	check.Equal(t, "sent", len(sent), 2)
}

func TestEachMessageIsPostponedForItsOwnTime(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	sent := check.SendBatch(t, q, []int{1, 2, 3})
	p := check.Receipts(t, q.Name())
	p.ReadCts[1]++ // does not hold
	before := check.ServerTime(t)
	postponed, err := db.New().Postpone(t.Context(), tab.New(q.Name()).Bind(pgtest.Pool()), db.PostponeParams{
		MsgIDs: p.MsgIDs, ReadCts: p.ReadCts, LastReadAts: p.LastReadAts, Delays: []float64{0.0005, 1, 100.25}, Uncounted: []int32{1, 0, 0},
	})
	check.OK(t, err)
	slices.Sort(postponed)
	if !slices.Equal(postponed, []int64{sent[0], sent[2]}) {
		t.Fatalf("%v were postponed", postponed)
	}
	check.Eventually(t, "the first is visible", func() bool { return len(check.Read(t, q, 1)) == 1 })
	vt := check.Value[time.Time](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT vt FROM {Q} WHERE msg_id = $1`), sent[2])
	if vt.Before(before.Add(100*time.Second)) || vt.After(check.ServerTime(t).Add(101*time.Second)) {
		t.Fatalf("the last is hidden until %v, at %v", vt, before)
	}
}
