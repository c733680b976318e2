package tests

import (
	"slices"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

func TestAMessageThatIsGivenBackWasNeverRead(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	bound := tab.New(q.Name()).Bind(pgtest.Pool())
	sent := sendBatch(t, q, []int{1, 2})
	m := read(t, q, 2)[0]
	unhide(t, q)
	p := receipts(t, q.Name())
	given := db.GiveBackParams{MsgIDs: p.MsgIDs, ReadCts: p.ReadCts, LastReadAts: p.LastReadAts}
	for _, want := range []int{2, 0} { // the receipts hold no longer
		back, err := db.New().GiveBack(t.Context(), bound, given)
		ok(t, err)
		equal(t, "given back", len(back), want)
	}
	is(t, q.Delete(t.Context(), m), queue.ErrLeaseLost)
	again := read(t, q, 2)
	equal(t, "read again at once", len(again), 2)
	equal(t, "reads", again[0].Reads, 2)
	back, err := db.New().GiveBack(t.Context(), bound, given)
	ok(t, err)
	equal(t, "given back with the receipt of an earlier read", len(back), 0)
	ok(t, q.Delete(t.Context(), again...))
	equal(t, "sent", len(sent), 2)
}

func TestEachMessageIsPostponedForItsOwnTime(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	sent := sendBatch(t, q, []int{1, 2, 3})
	p := receipts(t, q.Name())
	p.ReadCts[1]++ // does not hold
	before := serverTime(t)
	postponed, err := db.New().Postpone(t.Context(), tab.New(q.Name()).Bind(pgtest.Pool()), db.PostponeParams{
		MsgIDs: p.MsgIDs, ReadCts: p.ReadCts, LastReadAts: p.LastReadAts, Delays: []float64{0.0005, 1, 100.25},
	})
	ok(t, err)
	slices.Sort(postponed)
	if !slices.Equal(postponed, []int64{sent[0], sent[2]}) {
		t.Fatalf("%v were postponed", postponed)
	}
	eventually(t, "the first is visible", func() bool { return len(read(t, q, 1)) == 1 })
	vt := value[time.Time](t, pgtest.Pool(), tables(q.Name(), `SELECT vt FROM {Q} WHERE msg_id = $1`), sent[2])
	if vt.Before(before.Add(100*time.Second)) || vt.After(serverTime(t).Add(101*time.Second)) {
		t.Fatalf("the last is hidden until %v, at %v", vt, before)
	}
}
