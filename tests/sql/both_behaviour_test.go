package sql

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestBothAPIsGiveIDsAndMessagesInTheOrderSent(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		equalIDs(t, "sent", must[[]int64](t)(d.send(ctx, name, []string{`"a"`, `{"b": [1, null]}`, `null`}, `{"h": 1}`, 0)), 1, 2, 3)
		got := must[[]delivery](t)(d.read(ctx, name, time.Minute, 2))
		check.Equal(t, "messages", len(got), 2)
		check.Equal(t, "the first", got[0].text(), `1, read 1: "a" {"h": 1}`)
		check.Equal(t, "the second", got[1].text(), `2, read 1: {"b": [1, null]} {"h": 1}`)
		equalIDs(t, "the rest", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Minute, 10))), 3)
		equalIDs(t, "hidden", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Minute, 10))))
	})
}

func TestBothAPIsHideUntilTheVTOrTheDelayEnds(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{"1"}, "null", 0))
		must[[]int64](t)(d.send(ctx, name, []string{"2"}, "null", time.Hour))
		equalIDs(t, "visible", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Hour, 10))), 1)
		all, visible, err := d.lengths(ctx, name)
		check.OK(t, err)
		check.Equal(t, "length", all, 2)
		check.Equal(t, "visible", visible, 0)

		check.Exec(t, pgtest.Pool(), check.Tables(name, `UPDATE {Q} SET vt = vt - interval '1 hour'`)) // time passes
		again := must[[]delivery](t)(d.read(ctx, name, time.Hour, 10))
		equalIDs(t, "visible an hour later", idsOf(again), 1, 2)
		check.Equal(t, "reads of the first", again[0].reads, 2)
		check.Equal(t, "reads of the second", again[1].reads, 1)
		check.Equal(t, "no headers", again[0].headers, "")
	})
}

func TestBothAPIsSetVTByID(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{"1", "2", "3"}, "null", 0))
		must[[]delivery](t)(d.read(ctx, name, time.Hour, 2))
		equalIDs(t, "given back", must[[]int64](t)(d.setVT(ctx, name, 0, 1, 99)), 1)
		equalIDs(t, "hidden", must[[]int64](t)(d.setVT(ctx, name, time.Hour, 3)), 3)
		got := must[[]delivery](t)(d.read(ctx, name, time.Hour, 10))
		equalIDs(t, "visible", idsOf(got), 1)
		check.Equal(t, "reads", got[0].reads, 2) // set_vt does not count
	})
}

func TestBothAPIsSettleByIDWhatExists(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{"1", "2", "3", "4"}, `{"h": 1}`, 0))
		equalIDs(t, "deleted", must[[]int64](t)(d.remove(ctx, name, 1, 2, -3, 99)), 1, 2)
		equalIDs(t, "deleted again", must[[]int64](t)(d.remove(ctx, name, 1, 2)))
		equalIDs(t, "archived", must[[]int64](t)(d.archive(ctx, name, 2, 3)), 3)
		equalIDs(t, "archived again", must[[]int64](t)(d.archive(ctx, name, 3)))
		equalIDs(t, "deleted nothing", must[[]int64](t)(d.remove(ctx, name)))
		equalIDs(t, "in the archive", check.Values[int64](t, pgtest.Pool(), check.Tables(name, `SELECT msg_id FROM {A} WHERE headers = '{"h": 1}' AND message = '3'`)), 3)
		equalIDs(t, "left", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Hour, 10))), 4)
	})
}

func TestBothAPIsPopTheOldest(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		equalIDs(t, "of an empty queue", idsOf(must[[]delivery](t)(d.pop(ctx, name))))
		must[[]int64](t)(d.send(ctx, name, []string{"1", "2", "3"}, `{"h": "x"}`, 0))
		must[[]delivery](t)(d.read(ctx, name, time.Hour, 1)) // the oldest is somebody's
		for _, want := range []string{`2, read 0: 2 {"h": "x"}`, `3, read 0: 3 {"h": "x"}`} {
			check.Equal(t, "popped", must[[]delivery](t)(d.pop(ctx, name))[0].text(), want)
		}
		equalIDs(t, "popped when all are somebody's", idsOf(must[[]delivery](t)(d.pop(ctx, name))))
		must[[]int64](t)(d.setVT(ctx, name, 0, 1))
		must[[]int64](t)(d.send(ctx, name, []string{"4"}, "null", 0))
		must[[]int64](t)(d.setVT(ctx, name, 0, 1)) // visible since after the younger one
		check.Equal(t, "given back and popped", must[[]delivery](t)(d.pop(ctx, name))[0].text(), `1, read 1: 1 {"h": "x"}`)
		equalIDs(t, "left", must[[]int64](t)(d.remove(ctx, name, 1, 2, 3, 4)), 4)
	})
}

func TestBothAPIsPurgeHiddenMessagesTooButNoArchive(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{"1", "2", "3"}, "null", 0))
		must[[]int64](t)(d.archive(ctx, name, 1))
		must[[]delivery](t)(d.read(ctx, name, time.Hour, 1))
		check.Equal(t, "purged", must[int64](t)(d.purge(ctx, name)), 2)
		check.Equal(t, "purged again", must[int64](t)(d.purge(ctx, name)), 0)
		check.Equal(t, "archived", check.Value[int](t, pgtest.Pool(), check.Tables(name, `SELECT count(*)::int FROM {A}`)), 1)
		equalIDs(t, "the next id", must[[]int64](t)(d.send(ctx, name, []string{"4"}, "null", 0)), 4)
	})
}

func TestBothAPIsCreateAndDropAnyNumberOfTimes(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{"1"}, "null", 0))
		check.OK(t, d.create(ctx, name, admin.Logged))
		check.OK(t, d.create(ctx, name, admin.Unlogged)) // it is there already
		equalIDs(t, "kept", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Hour, 1))), 1)
		check.Equal(t, "dropped", must[bool](t)(d.drop(ctx, name)), true)
		check.Equal(t, "dropped again", must[bool](t)(d.drop(ctx, name)), false)
		check.OK(t, d.create(ctx, name, admin.Unlogged))
		check.Equal(t, "persistence", check.Value[string](t, pgtest.Pool(), check.Tables(name, `SELECT relpersistence::text FROM pg_class WHERE oid = '{Q}'::regclass`)), "u")
	})
}

func TestBothAPIsSayWhenThereIsNoQueue(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, _ string) {
		ctx, name := t.Context(), "nowhere"
		_, err := d.send(ctx, name, []string{"1"}, "null", 0)
		isNoQueue(t, d, err)
		_, err = d.read(ctx, name, time.Minute, 1)
		isNoQueue(t, d, err)
		_, err = d.pop(ctx, name)
		isNoQueue(t, d, err)
		_, err = d.remove(ctx, name, 1)
		isNoQueue(t, d, err)
		_, err = d.archive(ctx, name, 1)
		isNoQueue(t, d, err)
		_, err = d.setVT(ctx, name, 0, 1)
		isNoQueue(t, d, err)
		_, err = d.purge(ctx, name)
		isNoQueue(t, d, err)
		_, _, err = d.lengths(ctx, name)
		isNoQueue(t, d, err)
	})
}

func TestBothAPIsTakeEveryName(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t) // names that others may have
	for _, name := range everyName {
		for d, other := range map[api]api{goAPI{pool}: sqlAPI{pool}, sqlAPI{pool}: goAPI{pool}} {
			ctx := t.Context()
			check.OK(t, d.create(ctx, name, admin.Logged))
			// One api sends, the other reads, and the first settles.
			must[[]int64](t)(d.send(ctx, name, []string{"1", "2", "3"}, "null", 0))
			equalIDs(t, "read from "+name, idsOf(must[[]delivery](t)(other.read(ctx, name, time.Hour, 3))), 1, 2, 3)
			equalIDs(t, "deleted", must[[]int64](t)(d.remove(ctx, name, 1)), 1)
			equalIDs(t, "archived", must[[]int64](t)(d.archive(ctx, name, 2)), 2)
			equalIDs(t, "given back", must[[]int64](t)(d.setVT(ctx, name, 0, 3)), 3)
			equalIDs(t, "popped", idsOf(must[[]delivery](t)(d.pop(ctx, name))), 3)
			check.Equal(t, "purged", must[int64](t)(d.purge(ctx, name)), 0)
			_, _, err := d.lengths(ctx, name)
			check.OK(t, err)
			check.Equal(t, "dropped "+name, must[bool](t)(other.drop(ctx, name)), true)
		}
	}
}

func TestBothAPIsInATransactionThatRollsBackDidNothing(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		must[[]int64](t)(d.send(ctx, name, []string{"1", "2"}, "null", 0))
		tx, err := pgtest.Pool().Begin(ctx)
		check.OK(t, err)
		within := inTx(d, tx)
		must[[]int64](t)(within.send(ctx, name, []string{"3"}, "null", 0))
		equalIDs(t, "read within", idsOf(must[[]delivery](t)(within.read(ctx, name, time.Hour, 2))), 1, 2)
		equalIDs(t, "read beside it", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Hour, 2))))
		must[[]int64](t)(within.remove(ctx, name, 1))
		must[[]int64](t)(within.archive(ctx, name, 2))
		equalIDs(t, "popped within", idsOf(must[[]delivery](t)(within.pop(ctx, name))), 3)
		check.OK(t, tx.Rollback(context.WithoutCancel(ctx)))
		got := must[[]delivery](t)(d.read(ctx, name, time.Hour, 10))
		equalIDs(t, "read afterwards", idsOf(got), 1, 2)
		check.Equal(t, "reads", got[0].reads, 1)
		check.Equal(t, "archived", check.Value[int](t, pgtest.Pool(), check.Tables(name, `SELECT count(*)::int FROM {A}`)), 0)

		tx, err = pgtest.Pool().Begin(ctx)
		check.OK(t, err)
		within = inTx(d, tx)
		equalIDs(t, "given back within", must[[]int64](t)(within.setVT(ctx, name, 0, 1)), 1)
		check.Equal(t, "purged within", must[int64](t)(within.purge(ctx, name)), 2)
		check.Equal(t, "dropped within", must[bool](t)(within.drop(ctx, name)), true)
		check.OK(t, tx.Rollback(context.WithoutCancel(ctx)))
		equalIDs(t, "hidden as before", idsOf(must[[]delivery](t)(d.read(ctx, name, time.Hour, 10))))
		equalIDs(t, "there as before", must[[]int64](t)(d.remove(ctx, name, 1, 2)), 1, 2)
	})
}

func inTx(d api, tx pgx.Tx) api {
	if _, isGo := d.(goAPI); isGo {
		return goAPI{tx}
	}
	return sqlAPI{tx}
}
