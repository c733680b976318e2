package tests

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// killed sends bodies to a queue whose handler says that all are dead letters,
// and returns it and its dead-letter queue.
func killed(t testing.TB, bodies []Order) (q, dead *queue.Queue[Order]) {
	t.Helper()
	q, dead = pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	sendBatch(t, q, bodies, queue.Headers{"trace": "abc"})
	c := consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		if m.Body.ID%2 == 1 {
			return queue.DeadLetter(errWork)
		}
		return errWork
	}, queue.DeadLetterTo(dead.Name()), queue.MaxReads(1), queue.Workers(1))
	eventually(t, "all are dead", func() bool { return length(t, dead) == int64(len(bodies)) })
	ok(t, c.end())
	return q, dead
}

func numbered(n int) []Order {
	bodies := make([]Order, n)
	for i := range bodies {
		bodies[i].ID = int64(i)
	}
	return bodies
}

func TestRedriveMovesDeadLettersBackInOrder(t *testing.T) {
	t.Parallel()
	q, dead := killed(t, numbered(2500))
	var steps []int64
	moved, err := queue.Redrive(t.Context(), pgtest.Pool(), dead.Name(), q.Name(), queue.Progress(func(n int64) { steps = append(steps, n) }))
	ok(t, err)
	equal(t, "moved", moved, 2500)
	equal(t, "the last progress", steps[len(steps)-1], 2500)
	equal(t, "steps", len(steps), 3)
	equal(t, "dead letters", length(t, dead), 0)
	seen := map[int64]bool{}
	for _, m := range read(t, q, 3000) {
		equal(t, "reads", m.Reads, 1)
		equal(t, "a header", m.Headers["trace"], any("abc"))
		seen[m.Body.ID] = true
	}
	equal(t, "bodies", len(seen), 2500)

	again, err := queue.Redrive(t.Context(), pgtest.Pool(), dead.Name(), q.Name())
	ok(t, err)
	equal(t, "moved the second time", again, 0)
}

func TestTwoRedrivesAtOnceMoveEachMessageOnce(t *testing.T) {
	t.Parallel()
	q, dead := killed(t, numbered(5000))
	var group errgroup.Group
	total := make([]int64, 4)
	for i := range total {
		group.Go(func() (err error) {
			total[i], err = queue.Redrive(t.Context(), pgtest.Pool(), dead.Name(), q.Name())
			return err
		})
	}
	ok(t, group.Wait())
	equal(t, "moved by all", total[0]+total[1]+total[2]+total[3], 5000)
	equal(t, "messages", length(t, q), 5000)
	equal(t, "dead letters", length(t, dead), 0)
}

func TestRedriveByIDByBodyAndByReason(t *testing.T) {
	t.Parallel()
	q, dead := killed(t, numbered(10))
	redrive := func(want int64, opts ...queue.RedriveOption) {
		t.Helper()
		moved, err := queue.Redrive(t.Context(), pgtest.Pool(), dead.Name(), q.Name(), opts...)
		ok(t, err)
		equal(t, "moved", moved, want)
	}
	redrive(0, queue.IDs{})
	redrive(2, queue.IDs{1, 2, 4711})
	redrive(1, queue.Containing(`{"order_id": 5}`))
	redrive(0, queue.Containing(`{"order_id": 5}`))
	redrive(3, queue.ReasonDeadLetter) // 3, 7, 9
	redrive(0, queue.ReasonUndecodable)
	redrive(4)
	equal(t, "messages", length(t, q), 10)
}

func TestRedriveKeepsToARateAndCanBeStopped(t *testing.T) {
	t.Parallel()
	q, dead := killed(t, numbered(100))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	moved, err := queue.Redrive(ctx, pgtest.Pool(), dead.Name(), q.Name(), queue.Rate(50))
	is(t, err, context.DeadlineExceeded)
	if moved < 30 || moved > 60 {
		t.Errorf("%d were moved in a second, at 50 a second", moved)
	}
	// A step that the deadline met at the commit is done, and was not counted.
	left := length(t, dead)
	equal(t, "messages and dead letters", length(t, q)+left, 100)
	if left > 100-moved {
		t.Errorf("%d dead letters are left of 100, of which %d were moved", left, moved)
	}
	rest, err := queue.Redrive(t.Context(), pgtest.Pool(), dead.Name(), q.Name())
	ok(t, err)
	equal(t, "the rest", rest, left)
}

func TestRedriveDoesNotMoveWhatDiesMeanwhile(t *testing.T) {
	t.Parallel()
	q, dead := killed(t, numbered(20))
	first := deathOf(t, readOneOf(t, dead)).EnqueuedAt
	// Everything dies again at once: without a limit this would never end.
	consume(t, q, func(context.Context, *queue.Message[Order]) error { return queue.DeadLetter(nil) }, queue.DeadLetterTo(dead.Name()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	moved, err := queue.Redrive(ctx, pgtest.Pool(), dead.Name(), q.Name(), queue.Rate(100))
	ok(t, err)
	equal(t, "moved", moved, 20)
	eventually(t, "all are dead again", func() bool { return length(t, dead) == 20 })
	if again := deathOf(t, readOneOf(t, dead)).EnqueuedAt; again.Sub(first).Abs() > time.Millisecond {
		t.Errorf("first sent at %v, and after the second death at %v", first, again)
	}
}

// readOneOf looks at one message and gives it back.
func readOneOf[T any](t testing.TB, q *queue.Queue[T]) *queue.Message[T] {
	t.Helper()
	m := read(t, q, 1)[0]
	ok(t, q.SetVT(t.Context(), 0, m))
	return m
}

func TestRedriveInATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	q, dead := killed(t, numbered(5))
	err := pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		moved, err := queue.Redrive(t.Context(), tx, dead.Name(), q.Name())
		ok(t, err)
		equal(t, "moved", moved, 5)
		return errWork
	})
	is(t, err, errWork)
	equal(t, "dead letters", length(t, dead), 5)
	equal(t, "messages", length(t, q), 0)
}

func TestRedriveRefuses(t *testing.T) {
	t.Parallel()
	q, dead := pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	send(t, dead, Order{})
	redrive := func(from, to string, opts ...queue.RedriveOption) error {
		_, err := queue.Redrive(t.Context(), pgtest.Pool(), from, to, opts...)
		return err
	}
	is(t, redrive("a;b", q.Name()), queue.ErrName)
	is(t, redrive(dead.Name(), ""), queue.ErrName)
	is(t, redrive("no such", q.Name()), queue.ErrNoQueue)
	is(t, redrive(dead.Name(), "no such"), queue.ErrNoQueue)
	is(t, redrive(q.Name(), q.Name()), queue.ErrOption)
	is(t, redrive(dead.Name(), q.Name(), queue.Rate(-1)), queue.ErrOption)
	is(t, redrive(dead.Name(), q.Name(), queue.Progress(nil)), queue.ErrOption)
	is(t, redrive(dead.Name(), q.Name(), nil), queue.ErrOption)
	is(t, redrive(dead.Name(), q.Name(), queue.Containing(`{`)), queue.ErrOption)
	equal(t, "dead letters", length(t, dead), 1)
}
