package api

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
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestSendAsyncSendsInOrderAndFlushWaitsForAll(t *testing.T) {
	check.Parallel(t)
	const n = 5000
	q := pgtest.Queue[int](t)
	var mu sync.Mutex
	ids := make([]int64, n)
	for i := range n {
		check.OK(t, q.SendAsync(t.Context(), i, func(id int64, err error) {
			mu.Lock()
			defer mu.Unlock()
			if ids[i] = id; err != nil {
				t.Error(err)
			}
		}))
	}
	check.OK(t, q.Flush(t.Context()))
	if !slices.IsSorted(ids) || ids[0] == 0 {
		t.Fatal("the ids are not in the order of the calls")
	}
	check.Equal(t, "messages", check.Length(t, q), n)
	check.OK(t, q.Flush(t.Context()))
}

func TestSendAsyncTellsOfEachMessageThatFails(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} ADD CHECK (message <> '13')`))
	var sent, failed atomic.Int64
	for i := range 100 {
		check.OK(t, q.SendAsync(t.Context(), i, func(_ int64, err error) {
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
	check.Equal(t, "sent", sent.Load(), int64(99))
	check.Equal(t, "failed", failed.Load(), int64(1))
	check.OK(t, q.Flush(t.Context()))
}

func TestFlushWaitsUntilDoneHasReturned(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	release := make(chan struct{})
	check.OK(t, q.SendAsync(t.Context(), 1, func(int64, error) { check.Hold(release) }))
	check.Eventually(t, "the message is sent", func() bool { return check.Length(t, q) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	check.Is(t, q.Flush(ctx), context.DeadlineExceeded)
	close(release)
	check.OK(t, q.Flush(t.Context()))
}

func TestSendAsyncWaitsForRoom(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	lock := check.Connection(t, pgtest.Pool())
	check.Exec(t, lock, check.Tables(q.Name(), `BEGIN; LOCK TABLE {Q} IN SHARE MODE`))
	ctx := check.Within(t)
	const room = 10_000
	var handed atomic.Int64
	soon, stop := context.WithCancel(ctx)
	defer stop()
	waited := make(chan error, 1)
	go func() {
		for handed.Load() < 2*room {
			if err := q.SendAsync(soon, int(handed.Load()), nil); err != nil {
				waited <- err
				return
			}
			handed.Add(1)
		}
		waited <- nil
	}()
	check.Eventually(t, "there is no more room", func() bool { return handed.Load() >= room })
	time.Sleep(300 * time.Millisecond) // in which it would hand over more
	stop()
	check.Is(t, check.Receive(t, waited), context.Canceled)
	check.Equal(t, "handed over before it waited", handed.Load(), room)
	check.Exec(t, lock, `COMMIT`)
	check.Is(t, q.Flush(ctx), context.Canceled) // theirs was the ctx that ended
	check.Eventually(t, "what was on its way has ended", func() bool {
		return check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT NOT EXISTS (SELECT FROM pg_locks WHERE relation = '{Q}'::regclass AND pid <> pg_backend_pid())`))
	})
	left := check.Length(t, q)
	check.OK(t, q.SendAsync(ctx, 1, nil))
	check.OK(t, q.Flush(ctx))
	check.Equal(t, "one more", check.Length(t, q), left+1)
}

func TestSendAsyncNeedsAPool(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.OK(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		check.Is(t, q.WithTx(tx).SendAsync(t.Context(), 1, nil), queue.ErrInvalidOption)
		return q.WithTx(tx).Flush(t.Context())
	}))
	var encode *queue.EncodeError
	err := check.Open[any](t, pgtest.Pool(), q.Name()).SendAsync(t.Context(), func() {}, nil)
	if !errors.As(err, &encode) {
		t.Fatal(err)
	}
}
