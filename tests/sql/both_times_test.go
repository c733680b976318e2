package sql

import (
	"slices"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestBothAPIsHideUntilAnAbsoluteTime(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx, now := t.Context(), check.ServerTime(t).Truncate(time.Microsecond)
		late := must[int64](t)(d.sendAt(ctx, name, "1", now.Add(time.Hour)))
		early := must[int64](t)(d.sendAt(ctx, name, "2", now.Add(-time.Hour)))
		check.Equal(t, "both at their times", check.Value[int](t, pgtest.Pool(), check.Tables(name, `
			SELECT count(*)::int FROM {Q} WHERE (msg_id, vt) IN (($1, $3), ($2, $4))`),
			late, early, now.Add(time.Hour), now.Add(-time.Hour)), 2)
		equalIDs(t, "visible", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Minute, 10))), early)
	})
}

func TestBothAPIsDateByTheServersClock(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx, before := t.Context(), check.ServerTime(t)
		must[[]int64](t)(d.send(ctx, name, []string{"1"}, "null", 0))
		check.Equal(t, "never read", check.Value[bool](t, pgtest.Pool(), check.Tables(name, `SELECT last_read_at IS NULL AND vt >= enqueued_at FROM {Q}`)), true)
		between := check.ServerTime(t)
		m := must[[]delivery](t)(d.read(ctx, name, time.Hour, 1))[0]
		after := check.ServerTime(t)
		if m.enqueuedAt.Before(before) || m.enqueuedAt.After(between) {
			t.Errorf("enqueued at %v, not between %v and %v", m.enqueuedAt, before, between)
		}
		if readAt := m.visibleAt.Add(-time.Hour); readAt.Before(between) || readAt.After(after) {
			t.Errorf("hidden until %v, not for an hour after a read between %v and %v", m.visibleAt, between, after)
		}
		stored := check.Tables(name, `SELECT last_read_at = $1::timestamptz - interval '1 hour' AND vt = $1 AND enqueued_at = $2 FROM {Q}`)
		check.Equal(t, "stored as told", check.Value[bool](t, pgtest.Pool(), stored, m.visibleAt, m.enqueuedAt), true)

		// Only a read sets the time of the last read.
		must[[]int64](t)(d.setVT(ctx, name, 2*time.Hour, m.id))
		check.Equal(t, "the last read is kept", check.Value[bool](t, pgtest.Pool(),
			check.Tables(name, `SELECT last_read_at = $1::timestamptz - interval '1 hour' AND vt > $1 AND read_ct = 1 FROM {Q}`), m.visibleAt), true)
	})
}

// Rows that were rewritten lie elsewhere on the disk, but are no younger.
func TestBothAPIsReadTheOldestFirst(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, slices.Repeat([]string{"1"}, 50), "null", 0))
		must[[]int64](t)(d.setVT(ctx, name, time.Hour, 1, 4))
		must[[]int64](t)(d.setVT(ctx, name, 0, 21, 2, 6))
		inOrder(t, "the oldest", must[[]delivery](t)(d.read(ctx, name, time.Hour, 4)), 2, 3, 5, 6)
		var rest []int64
		for id := int64(7); id <= 50; id++ {
			rest = append(rest, id)
		}
		inOrder(t, "the rest", must[[]delivery](t)(d.read(ctx, name, time.Hour, 100)), rest...)
	})
}

func inOrder(t testing.TB, what string, got []delivery, want ...int64) {
	t.Helper()
	check.Equal(t, "the number of "+what, len(got), len(want))
	for i, d := range got {
		check.Equal(t, what, d.id, want[i])
	}
}

func TestBothAPIsCountEveryRead(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{"1"}, "null", 0))
		for reads := 1; reads <= 4; reads++ {
			before := check.ServerTime(t)
			got := must[[]delivery](t)(d.read(ctx, name, time.Hour, 1))
			inOrder(t, "read", got, 1)
			check.Equal(t, "reads", got[0].reads, reads)
			if last := check.Value[time.Time](t, pgtest.Pool(), check.Tables(name, "SELECT last_read_at FROM {Q}")); last.Before(before) {
				t.Errorf("read %d is dated %v, before it began at %v", reads, last, before)
			}
			must[[]int64](t)(d.setVT(ctx, name, 0, 1))
		}
		// A pop is no read: it tells of those before.
		check.Equal(t, "reads before the pop", must[[]delivery](t)(d.pop(ctx, name))[0].reads, 4)
	})
}

func TestBothAPIsArchiveAllThatThereIs(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{`{"a": 1}`}, `{"h": 1}`, 0))
		m := must[[]delivery](t)(d.read(ctx, name, time.Hour, 1))[0]
		before := check.ServerTime(t)
		must[[]int64](t)(d.archive(ctx, name, m.id))
		check.Equal(t, "kept", check.Value[bool](t, pgtest.Pool(), check.Tables(name, `
			SELECT read_ct = 1 AND enqueued_at = $2 AND vt = $3 AND last_read_at = $3 - interval '1 hour'
				AND archived_at BETWEEN $4 AND clock_timestamp() AND message = '{"a": 1}' AND headers = '{"h": 1}'
			FROM {A} WHERE msg_id = $1`), m.id, m.enqueuedAt, m.visibleAt, before), true)
	})
}

func TestBothAPIsListWhatTheyMade(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	ctx, both := t.Context(), []api{goAPI{pool}, sqlAPI{pool}}
	for _, d := range both {
		check.Same(t, "no queues", must[[]string](t)(d.list(ctx)), nil)
	}
	check.OK(t, both[0].create(ctx, "Go", admin.Logged))
	check.OK(t, both[0].create(ctx, "go unlogged", admin.Unlogged))
	check.OK(t, both[1].create(ctx, "SQL", admin.Logged))
	check.OK(t, both[1].create(ctx, "sql unlogged", admin.Unlogged))
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parts')`)
	for _, d := range both {
		check.Same(t, "queues", must[[]string](t)(d.list(ctx)),
			[]string{"Go false false", "SQL false false", "go unlogged false true", "parts true false", "sql unlogged false true"})
	}
}
