package tests

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// drain reads and deletes with several readers until all messages are gone, and
// counts how often each was deleted.
func drain(t *testing.T, q *queue.Queue[Order], readers int, vt queue.VT, stall func(id int64, reads int) bool) map[int64]int {
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
					if stats, err := queue.Stats(ctx, pgtest.Pool(), q.Name()); err != nil || stats.Length == 0 {
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

func eachOnce(t *testing.T, deleted map[int64]int, sent []int64) {
	t.Helper()
	equal(t, "messages deleted", len(deleted), len(sent))
	for _, id := range sent {
		if deleted[id] != 1 {
			t.Fatalf("message %d was deleted %d times", id, deleted[id])
		}
	}
}

func TestTwoRacingReadersGetEachMessageOnce(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 20_000))
	deleted := drain(t, q, 2, queue.VT(time.Hour), func(_ int64, reads int) bool {
		if reads != 1 {
			t.Error("a message was delivered twice within one VT")
		}
		return false
	})
	eachOnce(t, deleted, sent)
}

func TestReadersThatStallNeverSettleForAnother(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 500))
	deleted := drain(t, q, 8, queue.VT(50*time.Millisecond), func(id int64, reads int) bool { return id%25 == 0 && reads < 3 })
	eachOnce(t, deleted, sent)
}
