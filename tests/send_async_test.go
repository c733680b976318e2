package tests

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestSendAsyncSendsInOrderAndFlushWaitsForAll(t *testing.T) {
	t.Parallel()
	const n = 5000
	q := pgtest.Queue[int](t)
	var mu sync.Mutex
	ids := make([]int64, n)
	for i := range n {
		ok(t, q.SendAsync(t.Context(), i, func(id int64, err error) {
			mu.Lock()
			defer mu.Unlock()
			if ids[i] = id; err != nil {
				t.Error(err)
			}
		}))
	}
	ok(t, q.Flush(t.Context()))
	if !slices.IsSorted(ids) || ids[0] == 0 {
		t.Fatal("the ids are not in the order of the calls")
	}
	equal(t, "messages", length(t, q), n)
	ok(t, q.Flush(t.Context()))
}

func TestSendAsyncTellsOfEachMessageThatFails(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `ALTER TABLE {Q} ADD CHECK (message <> '13')`))
	var sent, failed atomic.Int64
	for i := range 100 {
		ok(t, q.SendAsync(t.Context(), i, func(_ int64, err error) {
			switch {
			case err == nil:
				sent.Add(1)
			case i == 13:
				failed.Add(1)
			}
		}))
	}
	err := q.Flush(t.Context())
	if err == nil {
		t.Fatal("Flush does not tell that one failed")
	}
	equal(t, "sent", sent.Load(), int64(99))
	equal(t, "failed", failed.Load(), int64(1))
	ok(t, q.Flush(t.Context()))
}

func TestFlushWaitsUntilDoneHasReturned(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	release := make(chan struct{})
	ok(t, q.SendAsync(t.Context(), 1, func(int64, error) { <-release }))
	eventually(t, "the message is sent", func() bool { return length(t, q) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	is(t, q.Flush(ctx), context.DeadlineExceeded)
	close(release)
	ok(t, q.Flush(t.Context()))
}

func TestSendAsyncWaitsForRoom(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	lock := connection(t, pgtest.Pool())
	exec(t, lock, tables(q.Name(), `BEGIN; LOCK TABLE {Q} IN SHARE MODE`))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	handed := 0
	soon, stop := context.WithCancel(ctx)
	defer stop()
	for ; handed < 20_000; handed++ {
		timer := time.AfterFunc(500*time.Millisecond, stop) // of one call
		err := q.SendAsync(soon, handed, nil)
		timer.Stop()
		if err != nil {
			is(t, err, context.Canceled)
			break
		}
	}
	equal(t, "handed over before it waited", handed, 10_000)
	exec(t, lock, `COMMIT`)
	err := q.Flush(ctx) // theirs was the ctx that ended
	is(t, err, context.Canceled)
	eventually(t, "what was on its way has ended", func() bool {
		return value[bool](t, pgtest.Pool(), tables(q.Name(), `SELECT NOT EXISTS (SELECT FROM pg_locks WHERE relation = '{Q}'::regclass AND pid <> pg_backend_pid())`))
	})
	left := length(t, q)
	ok(t, q.SendAsync(ctx, 1, nil))
	ok(t, q.Flush(ctx))
	equal(t, "one more", length(t, q), left+1)
}

func TestSendAsyncNeedsAPool(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	ok(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		is(t, q.WithTx(tx).SendAsync(t.Context(), 1, nil), queue.ErrOption)
		return q.WithTx(tx).Flush(t.Context())
	}))
	var encode *queue.EncodeError
	err := open[any](t, pgtest.Pool(), q.Name()).SendAsync(t.Context(), func() {}, nil)
	if !errors.As(err, &encode) {
		t.Fatal(err)
	}
}
