package admin

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// diedIn are the headers of a message that died in a queue.
func diedIn(name string) queue.Headers {
	return queue.Headers{"x-pgmq-dead-letter": map[string]any{"reason": queue.ReasonMaxReads, "queue": name}}
}

func bodies(t testing.TB, q *queue.Queue[int]) []int {
	t.Helper()
	var all []int
	for _, m := range check.Peek(t, q, 10_000) {
		all = append(all, m.Body)
	}
	return all
}

func TestRedriveGoesBackToTheQueueThatALetterDiedIn(t *testing.T) {
	t.Parallel()
	q, dead := check.DeadLetters(t, check.Numbered(10))
	moved, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name())
	check.OK(t, err)
	check.Equal(t, "moved", moved, 10)
	check.Equal(t, "messages", check.Length(t, q), 10)
	check.Equal(t, "dead letters", check.Length(t, dead), 0)
	m := check.Read(t, q, 1)[0]
	check.Equal(t, "reads", m.Reads, 1)
	check.Equal(t, "where it died", check.DeathOf(t, m).Queue, q.Name())
	again, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(""))
	check.OK(t, err)
	check.Equal(t, "moved the second time", again, 0)
}

func TestRedriveOfMixedOriginsKeepsTheOrderOfEach(t *testing.T) {
	t.Parallel()
	dead := pgtest.Queue[int](t)
	origins := []*queue.Queue[int]{pgtest.Queue[int](t), pgtest.Queue[int](t), pgtest.Named[int](t, "Mixed Ünï "+pgtest.Name())}
	want := make([][]int, len(origins))
	for i := range 2500 {
		at := i * i % len(origins)
		check.Send(t, dead, i, diedIn(strings.ToUpper(origins[at].Name()))) // a capital does not count
		want[at] = append(want[at], i)
	}
	var steps []int64
	moved, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.Progress(func(n int64) { steps = append(steps, n) }))
	check.OK(t, err)
	check.Equal(t, "moved", moved, 2500)
	check.Equal(t, "the last progress", steps[len(steps)-1], 2500)
	check.Equal(t, "progress rises", slices.IsSorted(steps), true)
	for i, q := range origins {
		check.EqualAll(t, "messages of "+q.Name(), bodies(t, q), want[i])
	}
	check.Equal(t, "dead letters", check.Length(t, dead), 0)
}

func TestRedriveLeavesWhatHasNoQueueToGoBackTo(t *testing.T) {
	t.Parallel()
	dead, q, gone := pgtest.Queue[int](t), pgtest.Queue[int](t), pgtest.Name()
	check.Send(t, dead, 1) // names none
	check.Send(t, dead, 2, diedIn(gone))
	check.Send(t, dead, 3, diedIn(q.Name()))
	check.Send(t, dead, 4, diedIn(dead.Name()))
	check.Send(t, dead, 5, diedIn("a;b"))
	check.Send(t, dead, 6, diedIn(gone))
	check.Send(t, dead, 7, queue.Headers{"x-pgmq-dead-letter": "somebody else's"})
	check.Send(t, dead, 8, diedIn(q.Name()))
	moved, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name())
	check.Equal(t, "moved", moved, 2)
	check.Is(t, err, admin.ErrNoOrigin)
	check.Is(t, err, queue.ErrNoQueue)
	check.Contains(t, err.Error(), dead.Name(), `no such queue "`+gone+`": 2 message(s) stay`, "names none: 2 message(s) stay", "died in this one: 1 message(s) stay", `can be called "a;b": 1 message(s) stay`)
	check.EqualAll(t, "messages", bodies(t, q), []int{3, 8})
	check.EqualAll(t, "dead letters", bodies(t, dead), []int{1, 2, 4, 5, 6, 7})

	// The error names only the selected messages.
	moved, err = admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.Containing(`2`))
	check.Equal(t, "moved", moved, 0)
	check.Is(t, err, queue.ErrNoQueue)
	check.Equal(t, "another complaint", strings.Contains(err.Error(), admin.ErrNoOrigin.Error()), false)
	moved, err = admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.ForReason(queue.ReasonUndecodable))
	check.OK(t, err)
	check.Equal(t, "moved", moved, 0)

	// With To, one queue takes them all.
	moved, err = admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(q.Name()))
	check.OK(t, err)
	check.Equal(t, "moved", moved, 6)
}

func TestRedriveToOriginsByIDByBodyAndByReason(t *testing.T) {
	t.Parallel()
	q, dead := check.DeadLetters(t, check.Numbered(10))
	redrive := func(want int64, opts ...admin.RedriveOption) {
		t.Helper()
		moved, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), opts...)
		check.OK(t, err)
		check.Equal(t, "moved", moved, want)
	}
	redrive(0, admin.IDs{})
	redrive(2, admin.IDs{2, 1, 2, 4711})
	redrive(1, admin.Containing(`{"order_id": 5}`))
	redrive(3, admin.ForReason(queue.ReasonDeadLetter)) // 3, 7, 9
	redrive(0, admin.IDs{9}, admin.ForReason(queue.ReasonUndecodable))
	redrive(1, admin.IDs{9}, admin.ForReason(queue.ReasonMaxReads), admin.Rate(1000))
	redrive(3, admin.Rate(1000))
	check.Equal(t, "messages", check.Length(t, q), 10)
}

func TestRedriveToOriginsInATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	q, dead := check.DeadLetters(t, check.Numbered(5))
	err := pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		check.Send(t, check.Open[int](t, tx, dead.Name()), 1, diedIn("no such"))
		moved, err := admin.Redrive(t.Context(), tx, dead.Name())
		check.Is(t, err, queue.ErrNoQueue)
		check.Equal(t, "moved", moved, 5)
		check.Equal(t, "messages in the transaction", check.Value[int](t, tx, check.Tables(q.Name(), `SELECT count(*)::int FROM {Q}`)), 5)
		return check.ErrWork
	})
	check.Is(t, err, check.ErrWork)
	check.Equal(t, "dead letters", check.Length(t, dead), 5)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestInterceptorsSeeRedriveAndReplay(t *testing.T) {
	t.Parallel()
	var seen []string
	intercept := func(name string) admin.Intercept {
		return func(ctx context.Context, op *queue.Operation, next func(context.Context) error) error {
			seen = append(seen, name+" before "+string(op.Kind)+" "+op.Queue)
			err := next(ctx)
			if op.Count == 3 {
				seen = append(seen, name+" after 3")
			}
			return err
		}
	}
	_, dead := check.DeadLetters(t, check.Numbered(3))
	_, err := admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), intercept("a"), admin.Intercept(nil), intercept("b"))
	check.OK(t, err)
	archived := check.InArchive(t, 3)
	_, err = admin.Replay(t.Context(), pgtest.Pool(), archived.Name(), intercept("c"))
	check.OK(t, err)
	check.EqualAll(t, "what they saw", seen, []string{
		"a before redrive " + dead.Name(), "b before redrive " + dead.Name(), "b after 3", "a after 3",
		"c before replay " + archived.Name(), "c after 3",
	})

	refuse := admin.Intercept(func(context.Context, *queue.Operation, func(context.Context) error) error { return check.ErrWork })
	check.Send(t, archived, 4)
	moved, err := admin.Redrive(t.Context(), pgtest.Pool(), archived.Name(), refuse)
	check.Is(t, err, check.ErrWork)
	check.Equal(t, "moved", moved, 0)
}
