package tests

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// stale returns a message whose lease has passed to another reader, and that
// reader's.
func stale(t testing.TB, q *queue.Queue[Order]) (old, current *queue.Message[Order]) {
	t.Helper()
	old = readOne(t, q, queue.VT(time.Millisecond))
	return old, readOne(t, q, queue.VT(time.Hour), queue.Wait(patience))
}

func TestAStaleHolderCanDoNothing(t *testing.T) {
	t.Parallel()
	for op, settle := range map[string]func(*queue.Queue[Order], ...*queue.Message[Order]) error{
		"delete":  func(q *queue.Queue[Order], m ...*queue.Message[Order]) error { return q.Delete(t.Context(), m...) },
		"archive": func(q *queue.Queue[Order], m ...*queue.Message[Order]) error { return q.Archive(t.Context(), m...) },
		"set vt":  func(q *queue.Queue[Order], m ...*queue.Message[Order]) error { return q.SetVT(t.Context(), 0, m...) },
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[Order](t)
			id := send(t, q, Order{ID: 1})
			old, current := stale(t, q)

			err := settle(q, old)
			is(t, err, queue.ErrLeaseLost)
			lost := as[*queue.LeaseLostError](t, err)
			if !slices.Equal(lost.IDs, []int64{id}) || len(lost.Gone) > 0 {
				t.Fatalf("lost %v, gone %v", lost.IDs, lost.Gone)
			}
			equal(t, "messages", length(t, q), 1)
			readNone(t, q) // still held
			ok(t, q.Delete(t.Context(), current))
			err = settle(q, old)
			is(t, err, queue.ErrLeaseLost)
			is(t, err, queue.ErrNotFound)
		})
	}
}

// A count can repeat, when a message is given back or a failover takes a read
// back, and so can a time, when a clock is set back.
func TestAReceiptHoldsOnlyWithItsCountAndItsTime(t *testing.T) {
	t.Parallel()
	for op, settle := range map[string]func(db.DBTX, db.DeleteParams) ([]int64, error){
		"delete": func(on db.DBTX, r db.DeleteParams) ([]int64, error) { return db.New().Delete(t.Context(), on, r) },
		"archive": func(on db.DBTX, r db.DeleteParams) ([]int64, error) {
			return db.New().Archive(t.Context(), on, db.ArchiveParams(r))
		},
		"give back": func(on db.DBTX, r db.DeleteParams) ([]int64, error) {
			return db.New().GiveBack(t.Context(), on, db.GiveBackParams(r))
		},
		"postpone": func(on db.DBTX, r db.DeleteParams) ([]int64, error) {
			return db.New().Postpone(t.Context(), on, db.PostponeParams{
				MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts, Delays: []float64{1},
			})
		},
		"set vt": func(on db.DBTX, r db.DeleteParams) ([]int64, error) {
			rows, err := db.New().SetVT(t.Context(), on, db.SetVTParams{
				VT: time.Second, MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts,
			})
			return make([]int64, len(rows)), err
		},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[Order](t)
			send(t, q, Order{})
			p := receipts(t, q.Name())
			bound := tab.New(q.Name()).Bind(pgtest.Pool())
			settled := func(read string) int {
				exec(t, pgtest.Pool(), tables(q.Name(), "UPDATE {Q} SET "+read))
				ids, err := settle(bound, db.DeleteParams{MsgIDs: p.MsgIDs, ReadCts: p.ReadCts, LastReadAts: p.LastReadAts})
				ok(t, err)
				return len(ids)
			}
			equal(t, "settled after a read at the same time", settled("read_ct = 2"), 0)
			equal(t, "settled after a read with the same count", settled("read_ct = 1, last_read_at = last_read_at + interval '1 us'"), 0)
			equal(t, "settled by its own receipt", settled("last_read_at = last_read_at - interval '1 us'"), 1)
		})
	}
}

func TestTheGoodOnesOfABatchAreSettled(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 5))
	msgs := read(t, q, 5)
	_, err := q.SetVTID(t.Context(), 0, sent[1])
	ok(t, err)
	again := readOne(t, q) // message 2 has another holder
	_, err = q.DeleteID(t.Context(), sent[3])
	ok(t, err)

	err = q.Archive(t.Context(), msgs...)
	lost := as[*queue.LeaseLostError](t, err)
	if !slices.Equal(lost.IDs, []int64{sent[1], sent[3]}) || !slices.Equal(lost.Gone, []int64{sent[3]}) {
		t.Fatalf("lost %v, gone %v", lost.IDs, lost.Gone)
	}
	if errors.Is(err, queue.ErrNotFound) {
		t.Error("one of them is there")
	}
	equal(t, "archived", value[int](t, pgtest.Pool(), tables(q.Name(), `SELECT count(*)::int FROM {A}`)), 3)
	ok(t, q.Delete(t.Context(), again))
	equal(t, "messages", length(t, q), 0)
}

func TestSetVTKeepsTheReceiptGood(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{})
	m := readOne(t, q, queue.VT(time.Second))
	ok(t, q.SetVT(t.Context(), time.Hour, m))
	if left := m.VisibleAt.Sub(serverTime(t)); left < 59*time.Minute {
		t.Fatalf("%v of an hour are left", left)
	}
	readNone(t, q)
	ok(t, q.SetVT(t.Context(), 0, m))
	again := readOne(t, q)
	equal(t, "Reads", again.Reads, 2)
	is(t, q.Delete(t.Context(), m), queue.ErrLeaseLost)
	ok(t, q.Delete(t.Context(), again))
	is(t, q.SetVT(t.Context(), -1, again), queue.ErrOption)
}

func TestAnExpiredLeaseIsGoodWhileNobodyElseHasReadTheMessage(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	send(t, q, Order{})
	m := readOne(t, q, queue.VT(time.Millisecond))
	eventually(t, "the lease has ended", func() bool { return serverTime(t).After(m.VisibleAt) })
	ok(t, q.Delete(t.Context(), m))
}

func TestTheArchiveKeepsEverything(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	id := send(t, q, Order{ID: 7, Customer: "ada"}, queue.Headers{"h": 1})
	m := readOne(t, q)
	ok(t, q.Archive(t.Context(), m))
	equal(t, "archived", value[bool](t, pgtest.Pool(), tables(q.Name(), `
		SELECT message = '{"order_id": 7, "customer": "ada"}' AND headers = '{"h": 1}' AND read_ct = 1
			AND enqueued_at = $2 AND vt = $3 AND last_read_at < vt AND archived_at <= now()
		FROM {A} WHERE msg_id = $1`), id, m.EnqueuedAt, m.VisibleAt), true)
	equal(t, "messages", length(t, q), 0)
}

func TestByIDFormsOfNoIDsDoNothing(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	id := send(t, q, Order{})
	for _, nothing := range []func(...int64) ([]int64, error){
		func(ids ...int64) ([]int64, error) { return q.DeleteID(t.Context(), ids...) },
		func(ids ...int64) ([]int64, error) { return q.ArchiveID(t.Context(), ids...) },
		func(ids ...int64) ([]int64, error) { return q.SetVTID(t.Context(), time.Hour, ids...) },
	} {
		existed, err := nothing()
		ok(t, err)
		equal(t, "of no ids", len(existed), 0)
	}
	_, err := q.SetVTID(t.Context(), -1, id)
	is(t, err, queue.ErrOption)
	equal(t, "the message is as it was", readOne(t, q).ID, id)
}

func TestSettlingTakesOnlyWhatWasReadHere(t *testing.T) {
	t.Parallel()
	q, other := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	send(t, q, Order{})
	send(t, other, Order{})
	m := readOne(t, q)
	readOne(t, other)
	is(t, other.Delete(t.Context(), m), queue.ErrLeaseLost)
	is(t, q.Delete(t.Context(), &queue.Message[Order]{ID: m.ID}), queue.ErrLeaseLost)
	is(t, q.Delete(t.Context(), m, nil), queue.ErrOption)
	ok(t, q.Delete(t.Context()))
	ok(t, q.Delete(t.Context(), m, m))
	equal(t, "messages of the other", length(t, other), 1)
}
