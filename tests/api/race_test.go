package api

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	tab "github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// drain reads and deletes with several readers until all messages are gone, and
// counts how often each was deleted.
func drain(t *testing.T, q *queue.Queue[check.Order], readers int, vt queue.VT, stall func(id int64, reads int) bool) map[int64]int {
	t.Helper()
	var (
		mu      sync.Mutex
		deleted = map[int64]int{}
		wg      sync.WaitGroup
	)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for range readers {
		wg.Go(func() {
			for {
				msgs, err := q.Read(ctx, 10, vt)
				if err != nil {
					t.Error(err)
					return
				}
				if len(msgs) == 0 {
					if stats, err := admin.Stats(ctx, pgtest.Pool(), q.Name()); err != nil || stats.Length == 0 {
						return
					}
				}
				var lost *queue.LeaseLostError
				for _, m := range msgs {
					if stall(m.ID, m.Reads) {
						time.Sleep(time.Duration(vt)) // longer than the lease, on purpose
					}
				}
				err = q.Delete(ctx, msgs...)
				if err != nil && !errors.As(err, &lost) {
					t.Error(err)
					return
				}
				held := map[int64]bool{}
				if lost != nil {
					for _, id := range lost.IDs {
						held[id] = true
					}
				}
				mu.Lock()
				for _, m := range msgs {
					if !held[m.ID] {
						deleted[m.ID]++
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return deleted
}

func TestTwoRacingReadersGetEachMessageOnce(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 20_000))
	deleted := drain(t, q, 2, queue.VT(time.Hour), func(_ int64, reads int) bool {
		if reads != 1 {
			t.Error("a message was delivered twice within one VT")
		}
		return false
	})
	check.EachOnce(t, deleted, sent)
}

func TestReadersThatStallNeverSettleForAnother(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 500))
	deleted := drain(t, q, 8, queue.VT(50*time.Millisecond), func(id int64, reads int) bool { return id%25 == 0 && reads < 3 })
	check.EachOnce(t, deleted, sent)
}

// Messages that an open transaction has read go to no other reader, and no reader waits
// for them.
func TestWhoClaimsPassesOverWhatAnotherIsTaking(t *testing.T) {
	check.Parallel(t)
	calls := func(text string) func(context.Context, check.Querier, string) ([]int64, error) {
		return func(ctx context.Context, on check.Querier, name string) ([]int64, error) {
			rows, err := on.Query(ctx, text, name)
			if err != nil {
				return nil, err
			}
			return pgx.CollectRows(rows, pgx.RowTo[int64])
		}
	}
	for what, c := range map[string]struct {
		claim func(ctx context.Context, on check.Querier, name string) ([]int64, error)
		next  []int64 // the messages of 1 and 2 that another gets while 1 is being taken
	}{
		"Read": {func(ctx context.Context, on check.Querier, name string) (ids []int64, _ error) {
			rows, err := db.New().Read(ctx, tab.New(name).Bind(on), db.ReadParams{VT: time.Hour, N: 1})
			for _, row := range rows {
				if row.Found {
					ids = append(ids, row.MsgID)
				}
			}
			return ids, err
		}, []int64{2}},
		"ReadID": {func(ctx context.Context, on check.Querier, name string) (ids []int64, _ error) {
			rows, err := db.New().ReadID(ctx, tab.New(name).Bind(on), db.ReadIDParams{VT: time.Hour, MsgIDs: []int64{1}})
			for _, row := range rows {
				ids = append(ids, row.MsgID)
			}
			return ids, err
		}, nil},
		"Pop": {func(ctx context.Context, on check.Querier, name string) (ids []int64, _ error) {
			rows, err := db.New().Pop(ctx, tab.New(name).Bind(on), db.PopParams{N: 1})
			for _, row := range rows {
				if row.Found {
					ids = append(ids, row.MsgID)
				}
			}
			return ids, err
		}, []int64{2}},
		"pgmq.read":              {calls("SELECT msg_id FROM pgmq.read($1, 3600, 1)"), []int64{2}},
		"pgmq.read_with_poll":    {calls("SELECT msg_id FROM pgmq.read_with_poll($1, 3600, 1, 1)"), []int64{2}},
		"pgmq.pop":               {calls("SELECT msg_id FROM pgmq.pop($1)"), []int64{2}},
		"pgmq.read_grouped":      {calls("SELECT msg_id FROM pgmq.read_grouped($1, 3600, 1)"), nil}, // it is one group
		"pgmq.read_grouped_rr":   {calls("SELECT msg_id FROM pgmq.read_grouped_rr($1, 3600, 1)"), nil},
		"pgmq.read_grouped_head": {calls("SELECT msg_id FROM pgmq.read_grouped_head($1, 3600, 1)"), nil},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), check.Patience)
			defer cancel()
			q := pgtest.Queue[int](t)
			check.SendBatch(t, q, []int{1, 2})
			tx, err := pgtest.Pool().Begin(ctx)
			check.OK(t, err)
			defer func() { _ = tx.Rollback(context.Background()) }()
			taken, err := c.claim(ctx, tx, q.Name())
			check.OK(t, err)
			check.EqualAll(t, "taken", taken, []int64{1})
			next, err := c.claim(ctx, pgtest.Pool(), q.Name())
			check.OK(t, err)
			check.EqualAll(t, "taken by another meanwhile", next, c.next)
			check.OK(t, tx.Commit(ctx))
			next, err = c.claim(ctx, pgtest.Pool(), q.Name())
			check.OK(t, err)
			if slices.Contains(next, 1) {
				t.Error("another got it, too")
			}
		})
	}
}
