package sql

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// grouped makes a queue of messages that bear the letters of text: the same
// letter is the same group, a dot is none. Ids begin at 1.
func grouped(t testing.TB, text string) string {
	t.Helper()
	q := pgtest.Queue[string](t)
	for _, letter := range text {
		var opts []queue.SendOption
		if letter != '.' {
			opts = append(opts, queue.Headers{"x-pgmq-group": string(letter)})
		}
		check.Send(t, q, string(letter), opts...)
	}
	return q.Name()
}

// readGroups returns the ids in the order that they came in, as text.
func readGroups(t testing.TB, db check.Querier, kind, name string, qty int) string {
	t.Helper()
	return strings.Trim(fmt.Sprint(check.Values[int64](t, db, `SELECT msg_id FROM pgmq.read_grouped`+kind+`($1, 3600, $2)`, name, qty)), "[]")
}

func TestGroupsAreReadInTheirOrder(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	//                 123456789
	const messages = "abacb..ba"
	for _, c := range []struct {
		kind string
		qty  int
		want string
	}{
		{"", 1, "1"},
		{"", 3, "1 3 9"},
		{"", 5, "1 3 9 2 5"},
		{"", 100, "1 3 9 2 5 8 4 6 7"},
		{"_rr", 1, "1"},
		{"_rr", 4, "1 2 4 6"},
		{"_rr", 6, "1 2 4 6 3 5"},
		{"_rr", 100, "1 2 4 6 3 5 7 9 8"},
		{"_head", 1, "1"},
		{"_head", 3, "1 2 4"},
		{"_head", 100, "1 2 4 6"},
	} {
		name := grouped(t, messages)
		check.Equal(t, fmt.Sprintf("read_grouped%s of %d", c.kind, c.qty), readGroups(t, pool, c.kind, name, c.qty), c.want)
	}
}

func TestAGroupIsBlockedWhileAMessageIsInFlight(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for _, kind := range []string{"", "_rr", "_head"} {
		name := grouped(t, "aaabb") // 1 2 3, 4 5
		check.Equal(t, "the first", readGroups(t, pool, kind, name, 1), "1")
		check.Equal(t, "of the other group", readGroups(t, pool, kind, name, 1), "4")
		check.Equal(t, "when all are blocked", readGroups(t, pool, kind, name, 10), "")
		check.Exec(t, pool, `SELECT pgmq.delete($1, 1::bigint)`, name)
		check.Equal(t, "after the first was deleted", readGroups(t, pool, kind, name, 1), "2")
		check.Exec(t, pool, `SELECT pgmq.archive($1, 2::bigint), pgmq.set_vt($1, 4::bigint, 0)`, name)
		check.Equal(t, "after the lease ended", readGroups(t, pool, kind, name, 1), "3")
		check.Equal(t, "after the lease ended", readGroups(t, pool, kind, name, 1), "4")
	}
}

// PGMQ would hand out the third message before the second.
func TestADelayedMessageIsNotOvertakenInItsGroup(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for _, kind := range []string{"", "_rr"} {
		name := grouped(t, "aaab")
		check.Exec(t, pool, `SELECT pgmq.set_vt($1, 2::bigint, 3600)`, name)
		check.Equal(t, "read", readGroups(t, pool, kind, name, 10), "1 4")
	}
}

func TestTheGroupIsTheHeadersText(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), pgtest.Queue[int](t).Name()
	for _, headers := range []any{nil, `{}`, `{"x-pgmq-group": null}`, `[1]`, `{"x-pgmq-group": "_default_fifo_group"}`, `{"x-pgmq-group": ""}`, `{"x-pgmq-group": 7}`, `{"x-pgmq-group": "7"}`} {
		check.Exec(t, pool, `SELECT pgmq.send($1, '1', $2::jsonb)`, name, headers)
	}
	check.Equal(t, "heads", readGroups(t, pool, "_head", name, 10), "1 6 7")
}

func TestReadersOfDifferentGroupsDoNotBlockEachOther(t *testing.T) {
	check.Parallel(t)
	ctx := t.Context()
	for _, kind := range []string{"", "_rr", "_head"} {
		name, other := grouped(t, "aabbccdd"), grouped(t, "abcd")
		var got []string
		for range 5 {
			tx, err := pgtest.Pool().Begin(ctx)
			check.OK(t, err)
			defer tx.Rollback(context.WithoutCancel(ctx))
			check.Exec(t, tx, `SET LOCAL lock_timeout = '1s'`)
			got = append(got, readGroups(t, tx, kind, name, 1))
			// The same groups in another queue are other groups.
			if len(got) <= 4 {
				check.Equal(t, "of the other queue", readGroups(t, tx, "_head", other, 1), fmt.Sprint(len(got)))
			}
		}
		check.Same(t, "each in its own transaction", got, []string{"1", "3", "5", "7", ""})
	}
}

// Only the messages read are locked: the first group alone has enough.
func TestAReaderLocksNoGroupThatItDoesNotRead(t *testing.T) {
	check.Parallel(t)
	ctx, name := t.Context(), grouped(t, "aaaaabbbbb")
	tx, err := pgtest.Pool().Begin(ctx)
	check.OK(t, err)
	defer tx.Rollback(context.WithoutCancel(ctx))
	check.Equal(t, "the first reader's", readGroups(t, tx, "", name, 5), "1 2 3 4 5")
	check.Equal(t, "the second reader's", readGroups(t, pgtest.Pool(), "", name, 5), "6 7 8 9 10")
}

// A message that an ungrouped read takes blocks the rest of its group.
func TestAMessageHeldByAnotherReaderIsNotOvertaken(t *testing.T) {
	check.Parallel(t)
	ctx, name := t.Context(), grouped(t, "aaa")
	tx, err := pgtest.Pool().Begin(ctx)
	check.OK(t, err)
	defer tx.Rollback(context.WithoutCancel(ctx))
	check.Exec(t, tx, check.Tables(name, `SELECT FROM {Q} WHERE msg_id = 2 FOR UPDATE`))
	check.Equal(t, "read", readGroups(t, pgtest.Pool(), "", name, 10), "1")
}

// Eight readers and three ways of reading: each group's messages are handled
// one after the other, in the order sent.
func TestGroupsKeepTheirOrderUnderARace(t *testing.T) {
	check.Parallel(t)
	pool, q := pgtest.Pool(), pgtest.Queue[int](t)
	const groups, each = 40, 20
	check.Exec(t, pool, check.Tables(q.Name(), fmt.Sprintf(`
		INSERT INTO {Q} (vt, message, headers)
		SELECT now(), to_jsonb(i), jsonb_build_object('x-pgmq-group', i %% %d) FROM generate_series(0, %d) AS i`, groups, groups*each-1)))
	var (
		mu      sync.Mutex
		last    [groups]int
		holders [groups]int
		handled int
		readers errgroup.Group
	)
	for i := range last {
		last[i] = -1
	}
	for worker := range 8 {
		kind := []string{"", "_rr", "_head"}[worker%3]
		readers.Go(func() error {
			for {
				rows, err := pool.Query(t.Context(), `SELECT msg_id, message::int FROM pgmq.read_grouped`+kind+`($1, 3600, 7)`, q.Name())
				if err != nil {
					return err
				}
				batch, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
					ID int64
					N  int
				}])
				if err != nil {
					return err
				}
				mu.Lock()
				mine := map[int]bool{}
				for _, m := range batch {
					mine[m.N%groups] = true
				}
				for group := range mine {
					if holders[group]++; holders[group] > 1 {
						t.Errorf("group %d has two holders", group)
					}
				}
				for _, m := range batch {
					if m.N <= last[m.N%groups] {
						t.Errorf("%d came after %d", m.N, last[m.N%groups])
					}
					last[m.N%groups] = m.N
				}
				handled += len(batch)
				all := handled == groups*each
				mu.Unlock()

				ids := make([]int64, len(batch))
				for i, m := range batch {
					ids[i] = m.ID
				}
				mu.Lock()
				for group := range mine {
					holders[group]--
				}
				mu.Unlock()
				if _, err := pool.Exec(t.Context(), `SELECT pgmq.delete($1, $2::bigint[])`, q.Name(), ids); err != nil || all {
					return err
				}
				mu.Lock()
				done := handled == groups*each
				mu.Unlock()
				if done {
					return nil
				}
			}
		})
	}
	check.OK(t, readers.Wait())
	check.Equal(t, "handled", handled, groups*each)
	check.Equal(t, "left", check.Length(t, q), 0)
}

func TestFIFOIndexesAreMadeWhereTheyLack(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	for _, name := range []string{"One", "two-2", "orphan"} {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	check.Exec(t, pool, `DROP TABLE pgmq.q_orphan`)
	const indexes = `SELECT count(*)::int FROM pg_indexes WHERE indexdef ~ 'x-pgmq-group' AND tablename IN ('q_one', 'q_two-2')`
	check.Equal(t, "from the start", check.Value[int](t, pool, indexes), 2)
	check.Exec(t, pool, `DROP INDEX pgmq.q_one_coalesce_msg_id_idx, pgmq."q_two-2_coalesce_msg_id_idx"`)
	check.Exec(t, pool, `SELECT pgmq.create_fifo_index('one')`)
	check.Equal(t, "after one", check.Value[int](t, pool, indexes), 1)
	check.Exec(t, pool, `SELECT pgmq.create_fifo_indexes_all()`)
	check.Exec(t, pool, `SELECT pgmq.create_fifo_indexes_all()`)
	check.Equal(t, "after all, twice", check.Value[int](t, pool, indexes), 2)
}
