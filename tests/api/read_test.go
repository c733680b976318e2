package api

import (
	"math"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestReadOfAnEmptyQueueReturnsNothingAndNoError(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.ReadNone(t, q)
	check.Equal(t, "the number of messages", len(check.Read(t, q, 1<<30)), 0)
}

func TestVTHidesAMessageFromOtherReadersUntilItsEnd(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	other := check.Open[int](t, pgtest.Pool(), q.Name())
	id := check.Send(t, q, 1)
	const vt = 300 * time.Millisecond
	first := check.ReadOne(t, q, queue.VT(vt))
	second := check.ReadOne(t, other, queue.WaitFor(check.Patience), queue.VT(time.Hour))
	check.Equal(t, "the id", second.ID, id)

	// The server dated both reads, so the machine's pace does not matter.
	readAt := second.VisibleAt.Add(-time.Hour)
	if readAt.Before(first.VisibleAt) {
		t.Errorf("read again at %v, before the lease ended at %v", readAt, first.VisibleAt)
	}
	check.ReadNone(t, q)
	check.ReadNone(t, other)
}

func TestVTIs30SecondsUnlessGiven(t *testing.T) {
	check.Parallel(t)
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
		check.Send(t, q, 1)
		m := check.ReadOne(t, q, lease.opts...)
		got := check.Value[int64](t, pgtest.Pool(), check.Tables(q.Name(),
			"SELECT (extract(epoch FROM vt - last_read_at) * 1000000)::bigint FROM {Q} WHERE msg_id = $1"), m.ID)
		check.Equal(t, name+": the lease in µs", got, lease.want.Microseconds())
		check.OK(t, q.Delete(t.Context(), m))
	}
}

func TestBadReadArgumentsTouchNothing(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Send(t, q, 1)
	for _, n := range []int{0, -1, math.MinInt, 1<<30 + 1, math.MaxInt32 + 1, math.MaxInt} {
		msgs, err := q.Read(t.Context(), n)
		check.Is(t, err, queue.ErrInvalidOption)
		check.Equal(t, "the number of messages", len(msgs), 0)
	}
	for name, opt := range map[string]queue.ReadOption{
		"negative VT":   queue.VT(-1),
		"tiny VT":       queue.VT(999),
		"lowest VT":     queue.VT(math.MinInt64),
		"negative Wait": queue.WaitFor(-1),
		"nil":           nil,
	} {
		msgs, err := q.Read(t.Context(), 1, opt)
		check.Is(t, err, queue.ErrInvalidOption)
		check.Equal(t, name+": the number of messages", len(msgs), 0)
	}
	check.Equal(t, "Reads", check.ReadOne(t, q).Reads, 1)
}
