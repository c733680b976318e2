package api

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestRedriveMovesDeadLettersBackInOrder(t *testing.T) {
	check.Parallel(t)
	q, dead := check.DeadLetters(t, check.Numbered(2500))
	var steps []int64
	moved, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(q.Name()), admin.Progress(func(n int64) { steps = append(steps, n) }))
	check.OK(t, err)
	check.Equal(t, "moved", moved, 2500)
	check.Equal(t, "the last progress", steps[len(steps)-1], 2500)
	check.Equal(t, "steps", len(steps), 3)
	check.Equal(t, "dead letters", check.Length(t, dead), 0)
	seen := map[int64]bool{}
	for _, m := range check.Read(t, q, 3000) {
		check.Equal(t, "reads", m.Reads, 1)
		check.Equal(t, "a header", m.Headers["trace"], any("abc"))
		seen[m.Body.ID] = true
	}
	check.Equal(t, "bodies", len(seen), 2500)

	again, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(q.Name()))
	check.OK(t, err)
	check.Equal(t, "moved the second time", again, 0)
}

func TestTwoRedrivesAtOnceMoveEachMessageOnce(t *testing.T) {
	check.Parallel(t)
	q, dead := check.DeadLetters(t, check.Numbered(5000))
	var group errgroup.Group
	total := make([]int64, 4)
	for i := range total {
		group.Go(func() (err error) {
			total[i], err = admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(q.Name()))
			return err
		})
	}
	check.OK(t, group.Wait())
	check.Equal(t, "moved by all", total[0]+total[1]+total[2]+total[3], 5000)
	check.Equal(t, "messages", check.Length(t, q), 5000)
	check.Equal(t, "dead letters", check.Length(t, dead), 0)
}

func TestRedriveByIDByBodyAndByReason(t *testing.T) {
	check.Parallel(t)
	q, dead := check.DeadLetters(t, check.Numbered(10))
	redrive := func(want int64, opts ...admin.RedriveOption) {
		t.Helper()
		moved, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), append(opts, admin.To(q.Name()))...)
		check.OK(t, err)
		check.Equal(t, "moved", moved, want)
	}
	redrive(0, admin.IDs{})
	redrive(0, admin.IDs(nil))
	redrive(2, admin.IDs{1, 2, 4711})
	redrive(1, admin.Containing(`{"order_id": 5}`))
	redrive(0, admin.Containing(`{"order_id": 5}`))
	redrive(3, admin.ForReason(queue.ReasonDeadLetter)) // 3, 7, 9
	redrive(0, admin.ForReason(queue.ReasonUndecodable))
	redrive(1, admin.IDs{9}, admin.Containing(nil), admin.ForReason(""), admin.Rate(0), admin.Progress(nil), admin.Intercept(nil)) // all defaults
	redrive(3)
	check.Equal(t, "messages", check.Length(t, q), 10)
}

func TestRedriveKeepsToARateAndCanBeStopped(t *testing.T) {
	check.Parallel(t)
	q, dead := check.DeadLetters(t, check.Numbered(100))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := time.Now()
	const rate, enough = 50, 40
	moved, err := admin.Redrive(ctx, pgtest.Pool(), dead.Name(), admin.To(q.Name()), admin.Rate(rate), admin.Progress(func(n int64) {
		if n >= enough {
			cancel()
		}
	}))
	took := time.Since(start)
	check.Is(t, err, context.Canceled)
	// The first step is at once, and a step is a fifth of a second's.
	if moved < enough || float64(moved) > rate*(took.Seconds()+0.3) {
		t.Errorf("%d were moved in %v, at %d a second", moved, took, rate)
	}
	// A step that the end met at the commit is done, and was not counted.
	left := check.Length(t, dead)
	check.Equal(t, "messages and dead letters", check.Length(t, q)+left, 100)
	if left > 100-moved {
		t.Errorf("%d dead letters are left of 100, of which %d were moved", left, moved)
	}
	rest, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(q.Name()))
	check.OK(t, err)
	check.Equal(t, "the rest", rest, left)
}

func TestRedriveDoesNotMoveWhatDiesMeanwhile(t *testing.T) {
	check.Parallel(t)
	q, dead := check.DeadLetters(t, check.Numbered(20))
	first := check.DeathOf(t, readOneOf(t, dead)).EnqueuedAt
	// Everything dies again at once: without a limit this would never end.
	check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error { return queue.DeadLetter(nil) }, queue.DeadLetterTo(dead.Name()))
	ctx, cancel := context.WithTimeout(t.Context(), check.Patience)
	defer cancel()
	moved, err := admin.Redrive(ctx, pgtest.Pool(), dead.Name(), admin.To(q.Name()), admin.Rate(100))
	check.OK(t, err)
	check.Equal(t, "moved", moved, 20)
	check.Eventually(t, "all are dead again", func() bool { return check.Length(t, dead) == 20 })
	if again := check.DeathOf(t, readOneOf(t, dead)).EnqueuedAt; again.Sub(first).Abs() > time.Millisecond {
		t.Errorf("first sent at %v, and after the second death at %v", first, again)
	}
}

// readOneOf looks at one message and gives it back.
func readOneOf[T any](t testing.TB, q *queue.Queue[T]) *queue.Message[T] {
	t.Helper()
	m := check.Read(t, q, 1)[0]
	check.OK(t, q.SetVT(t.Context(), 0, m))
	return m
}

func TestRedriveInATransactionIsAllOrNothing(t *testing.T) {
	check.Parallel(t)
	q, dead := check.DeadLetters(t, check.Numbered(5))
	err := pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		moved, err := admin.Redrive(t.Context(), tx, dead.Name(), admin.To(q.Name()))
		check.OK(t, err)
		check.Equal(t, "moved", moved, 5)
		return check.ErrWork
	})
	check.Is(t, err, check.ErrWork)
	check.Equal(t, "dead letters", check.Length(t, dead), 5)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestRedriveRefuses(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	check.Send(t, dead, check.Order{})
	redrive := func(from, to string, opts ...admin.RedriveOption) error {
		_, err := admin.Redrive(t.Context(), pgtest.Pool(), from, append(opts, admin.To(to))...)
		return err
	}
	check.Is(t, redrive("a;b", q.Name()), queue.ErrInvalidName)
	check.Is(t, redrive(dead.Name(), "a;b"), queue.ErrInvalidName)
	check.Is(t, redrive("no such", q.Name()), queue.ErrNoQueue)
	check.Is(t, redrive(dead.Name(), "no such"), queue.ErrNoQueue)
	check.Is(t, redrive(q.Name(), q.Name()), queue.ErrInvalidOption)
	check.Is(t, redrive(dead.Name(), q.Name(), admin.Rate(-1)), queue.ErrInvalidOption)
	check.Is(t, redrive(dead.Name(), q.Name(), nil), queue.ErrInvalidOption)
	check.Is(t, redrive(dead.Name(), q.Name(), admin.Containing(`{`)), queue.ErrInvalidOption)
	check.Equal(t, "dead letters", check.Length(t, dead), 1)
}
