package tests

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestReadReturnsTheOldestVisibleMessagesInOrder(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	sent := sendBatch(t, q, make([]int, 50))
	_, err := q.SetVTID(t.Context(), time.Hour, sent[0], sent[3])
	ok(t, err)
	// Rows that were rewritten lie elsewhere on the disk, but are no younger.
	_, err = q.SetVTID(t.Context(), 0, sent[1], sent[5], sent[20])
	ok(t, err)

	if got, want := ids(read(t, q, 4)), []int64{sent[1], sent[2], sent[4], sent[5]}; !slices.Equal(got, want) {
		t.Errorf("read %v, not %v", got, want)
	}
	if got, want := ids(read(t, q, 100)), sent[6:]; !slices.Equal(got, want) {
		t.Errorf("then read %v, not %v", got, want)
	}
}

func TestReadOfAnEmptyQueueReturnsNothingAndNoError(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	readNone(t, q)
	equal(t, "the number of messages", len(read(t, q, 1<<30)), 0)
}

func TestVTHidesAMessageFromOtherReadersUntilItsEnd(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	other := open[int](t, pgtest.Pool(), q.Name())
	id := send(t, q, 1)
	const vt = 300 * time.Millisecond
	first := readOne(t, q, queue.VT(vt))
	second := readOne(t, other, queue.Wait(patience), queue.VT(time.Hour))
	equal(t, "the id", second.ID, id)

	// The server dated both reads, so the machine's pace does not matter.
	readAt := second.VisibleAt.Add(-time.Hour)
	if readAt.Before(first.VisibleAt) {
		t.Errorf("read again at %v, before the lease ended at %v", readAt, first.VisibleAt)
	}
	readNone(t, q)
	readNone(t, other)
}

func TestEveryReadCountsOneDelivery(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	id := send(t, q, 1)
	for delivery := 1; delivery <= 4; delivery++ {
		m := readOne(t, q)
		equal(t, "Reads", m.Reads, delivery)
		_, err := q.SetVTID(t.Context(), 0, id)
		ok(t, err)
	}
}

func TestTimesOfAMessageAreTheServers(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	before := serverTime(t)
	send(t, q, 1)
	between := serverTime(t)
	m := readOne(t, q, queue.VT(time.Hour))
	after := serverTime(t)
	if m.EnqueuedAt.Before(before) || m.EnqueuedAt.After(between) {
		t.Errorf("EnqueuedAt is %v, not between %v and %v", m.EnqueuedAt, before, between)
	}
	if readAt := m.VisibleAt.Add(-time.Hour); readAt.Before(between) || readAt.After(after) {
		t.Errorf("VisibleAt is %v, not an hour after a read between %v and %v", m.VisibleAt, between, after)
	}
}

func TestVTIs30SecondsUnlessGiven(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	leases := map[string]struct {
		opts []queue.ReadOption
		want time.Duration
	}{
		"default":  {nil, 30 * time.Second},
		"zero":     {[]queue.ReadOption{queue.VT(0)}, 30 * time.Second},
		"shortest": {[]queue.ReadOption{queue.VT(time.Microsecond)}, time.Microsecond},
		"a day":    {[]queue.ReadOption{queue.VT(24 * time.Hour)}, 24 * time.Hour},
		"longest":  {[]queue.ReadOption{queue.VT(math.MaxInt64)}, math.MaxInt64 / 1000 * 1000},
	}
	for name, lease := range leases {
		send(t, q, 1)
		m := readOne(t, q, lease.opts...)
		got := value[int64](t, pgtest.Pool(), tables(q.Name(),
			"SELECT (extract(epoch FROM vt - last_read_at) * 1000000)::bigint FROM {Q} WHERE msg_id = $1"), m.ID)
		equal(t, name+": the lease in µs", got, lease.want.Microseconds())
		ok(t, q.Delete(t.Context(), m))
	}
}

func TestBadReadArgumentsTouchNothing(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	send(t, q, 1)
	for _, n := range []int{0, -1, math.MinInt, 1<<30 + 1, math.MaxInt32 + 1, math.MaxInt} {
		msgs, err := q.Read(t.Context(), n)
		is(t, err, queue.ErrOption)
		equal(t, "the number of messages", len(msgs), 0)
	}
	for name, opt := range map[string]queue.ReadOption{
		"negative VT":   queue.VT(-1),
		"tiny VT":       queue.VT(999),
		"lowest VT":     queue.VT(math.MinInt64),
		"negative Wait": queue.Wait(-1),
		"nil":           nil,
	} {
		msgs, err := q.Read(t.Context(), 1, opt)
		is(t, err, queue.ErrOption)
		equal(t, name+": the number of messages", len(msgs), 0)
	}
	equal(t, "Reads", readOne(t, q).Reads, 1)
}
