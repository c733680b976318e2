package api

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// stale returns a message whose lease has passed to another reader, and that
// reader's.
func stale(t testing.TB, q *queue.Queue[check.Order]) (old, current *queue.Message[check.Order]) {
	t.Helper()
	old = check.ReadOne(t, q, queue.VT(time.Millisecond))
	return old, check.ReadOne(t, q, queue.VT(time.Hour), queue.WaitFor(check.Patience))
}

func TestAStaleHolderCanDoNothing(t *testing.T) {
	check.Parallel(t)
	for op, settle := range map[string]func(*queue.Queue[check.Order], ...*queue.Message[check.Order]) error{
		"delete": func(q *queue.Queue[check.Order], m ...*queue.Message[check.Order]) error {
			return q.Delete(t.Context(), m...)
		},
		"archive": func(q *queue.Queue[check.Order], m ...*queue.Message[check.Order]) error {
			return q.Archive(t.Context(), m...)
		},
		"set vt": func(q *queue.Queue[check.Order], m ...*queue.Message[check.Order]) error {
			return q.SetVT(t.Context(), 0, m...)
		},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[check.Order](t)
			id := check.Send(t, q, check.Order{ID: 1})
			old, current := stale(t, q)

			err := settle(q, old)
			check.Is(t, err, queue.ErrLeaseLost)
			lost := check.As[*queue.LeaseLostError](t, err)
			if !slices.Equal(lost.IDs, []int64{id}) || len(lost.Gone) > 0 {
				t.Fatalf("lost %v, gone %v", lost.IDs, lost.Gone)
			}
			check.Equal(t, "messages", check.Length(t, q), 1)
			check.ReadNone(t, q) // still held
			check.OK(t, q.Delete(t.Context(), current))
			err = settle(q, old)
			check.Is(t, err, queue.ErrLeaseLost)
			check.Is(t, err, queue.ErrNotFound)
		})
	}
}

// A count can repeat, when a message is given back or a failover takes a read
// back, and so can a time, when a clock is set back.
func TestAReceiptHoldsOnlyWithItsCountAndItsTime(t *testing.T) {
	check.Parallel(t)
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
				MsgIDs: r.MsgIDs, ReadCts: r.ReadCts, LastReadAts: r.LastReadAts, Delays: []float64{1}, Uncounted: []int32{0},
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
			q := pgtest.Queue[check.Order](t)
			check.Send(t, q, check.Order{})
			p := check.Receipts(t, q.Name())
			bound := tab.New(q.Name()).Bind(pgtest.Pool())
			settled := func(read string) int {
				check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), "UPDATE {Q} SET "+read))
				ids, err := settle(bound, db.DeleteParams{MsgIDs: p.MsgIDs, ReadCts: p.ReadCts, LastReadAts: p.LastReadAts})
				check.OK(t, err)
				return len(ids)
			}
			check.Equal(t, "settled after a read at the same time", settled("read_ct = 2"), 0)
			check.Equal(t, "settled after a read with the same count", settled("read_ct = 1, last_read_at = last_read_at + interval '1 us'"), 0)
			check.Equal(t, "settled by its own receipt", settled("last_read_at = last_read_at - interval '1 us'"), 1)
		})
	}
}

func TestTheGoodOnesOfABatchAreSettled(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 5))
	msgs := check.Read(t, q, 5)
	_, err := q.SetVTID(t.Context(), 0, sent[1])
	check.OK(t, err)
	again := check.ReadOne(t, q) // message 2 has another holder
	_, err = q.DeleteID(t.Context(), sent[3])
	check.OK(t, err)

	err = q.Archive(t.Context(), msgs...)
	lost := check.As[*queue.LeaseLostError](t, err)
	if !slices.Equal(lost.IDs, []int64{sent[1], sent[3]}) || !slices.Equal(lost.Gone, []int64{sent[3]}) {
		t.Fatalf("lost %v, gone %v", lost.IDs, lost.Gone)
	}
	if errors.Is(err, queue.ErrNotFound) {
		t.Error("one of them is there")
	}
	check.Equal(t, "archived", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(*)::int FROM {A}`)), 3)
	check.OK(t, q.Delete(t.Context(), again))
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestSetVTKeepsTheReceiptGood(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	m := check.ReadOne(t, q, queue.VT(time.Second))
	check.OK(t, q.SetVT(t.Context(), time.Hour, m))
	if left := m.VisibleAt.Sub(check.ServerTime(t)); left < 59*time.Minute {
		t.Fatalf("%v of an hour are left", left)
	}
	check.ReadNone(t, q)
	check.OK(t, q.SetVT(t.Context(), 0, m))
	again := check.ReadOne(t, q)
	check.Equal(t, "Reads", again.Reads, 2)
	check.Is(t, q.Delete(t.Context(), m), queue.ErrLeaseLost)
	check.OK(t, q.Delete(t.Context(), again))
	check.Is(t, q.SetVT(t.Context(), -1, again), queue.ErrInvalidOption)
}

func TestAnExpiredLeaseIsGoodWhileNobodyElseHasReadTheMessage(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	m := check.ReadOne(t, q, queue.VT(time.Millisecond))
	check.Eventually(t, "the lease has ended", func() bool { return check.ServerTime(t).After(m.VisibleAt) })
	check.OK(t, q.Delete(t.Context(), m))
}

func TestTheArchiveKeepsEverything(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	id := check.Send(t, q, check.Order{ID: 7, Customer: "ada"}, queue.Headers{"h": 1})
	m := check.ReadOne(t, q)
	check.OK(t, q.Archive(t.Context(), m))
	check.Equal(t, "archived", check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `
		SELECT message = '{"order_id": 7, "customer": "ada"}' AND headers = '{"h": 1}' AND read_ct = 1
			AND enqueued_at = $2 AND vt = $3 AND last_read_at < vt AND archived_at <= now()
		FROM {A} WHERE msg_id = $1`), id, m.EnqueuedAt, m.VisibleAt), true)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestByIDFormsOfNoIDsDoNothing(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	id := check.Send(t, q, check.Order{})
	for _, nothing := range []func(...int64) ([]int64, error){
		func(ids ...int64) ([]int64, error) { return q.DeleteID(t.Context(), ids...) },
		func(ids ...int64) ([]int64, error) { return q.ArchiveID(t.Context(), ids...) },
		func(ids ...int64) ([]int64, error) { return q.SetVTID(t.Context(), time.Hour, ids...) },
	} {
		existed, err := nothing()
		check.OK(t, err)
		check.Equal(t, "of no ids", len(existed), 0)
	}
	_, err := q.SetVTID(t.Context(), -1, id)
	check.Is(t, err, queue.ErrInvalidOption)
	check.Equal(t, "the message is as it was", check.ReadOne(t, q).ID, id)
}

func TestSettlingTakesOnlyWhatWasReadHere(t *testing.T) {
	check.Parallel(t)
	q, other := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	check.Send(t, q, check.Order{})
	check.Send(t, other, check.Order{})
	m := check.ReadOne(t, q)
	check.ReadOne(t, other)
	check.Is(t, other.Delete(t.Context(), m), queue.ErrLeaseLost)
	check.Is(t, q.Delete(t.Context(), &queue.Message[check.Order]{ID: m.ID}), queue.ErrLeaseLost)
	check.Is(t, q.Delete(t.Context(), m, nil), queue.ErrInvalidOption)
	check.OK(t, q.Delete(t.Context()))
	check.OK(t, q.Delete(t.Context(), m, m))
	check.Equal(t, "messages of the other", check.Length(t, other), 1)
}
