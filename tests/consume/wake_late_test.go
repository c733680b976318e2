package consume

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestWhatWasSentBeforeAConsumerWaitedAndCommitsWhileItDoesIsFoundSoon(t *testing.T) {
	check.Alone(t)
	// Not parallel: while others commit, the server tells more of what runs.
	for _, senders := range []int{1, 3} {
		q := pgtest.Queue[check.Order](t)
		var commits []func(context.Context) error
		for range senders {
			tx, err := check.NewPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
			check.OK(t, err)
			check.Send(t, q.WithTx(tx), check.Order{}) // nobody waits, so it announces nothing
			commits = append(commits, tx.Commit)
		}
		handled := make(chan time.Time, senders)
		check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error {
			handled <- time.Now()
			return nil
		})
		idle(t, q)
		time.Sleep(100 * time.Millisecond) // it has looked
		for _, commit := range commits {
			committed := time.Now()
			check.OK(t, commit(t.Context()))
			select {
			case at := <-handled:
				t.Logf("handled %v after the commit", at.Sub(committed))
			case <-time.After(3 * time.Second):
				t.Fatal("a message waits for 3 s")
			}
		}
	}
}

// A look names the messages that it finds, but not thousands.
func TestManyThatWereSentBeforeAConsumerWaitedAreFoundSoon(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	tx, err := check.NewPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
	check.OK(t, err)
	check.SendBatch(t, q.WithTx(tx), make([]check.Order, 3000)) // nobody waits, so it announces nothing
	check.Consume(t, q, nothing)
	idle(t, q)
	time.Sleep(300 * time.Millisecond) // it has looked, and its floor is above them
	check.OK(t, tx.Commit(t.Context()))
	committed := time.Now()
	check.Eventually(t, "all are handled", func() bool { return check.Length(t, q) == 0 })
	if took := time.Since(committed); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Of senders that commit together one announces, and what the others sent may be
// seen later than what it woke a consumer for.
func TestWhatWasSentUnannouncedBeforeALoneMessageWasReadIsFoundSoon(t *testing.T) {
	check.Alone(t)
	// Not parallel: while others commit, the server tells more of what runs.
	q := pgtest.Queue[check.Order](t)
	handled := make(chan time.Time)
	check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error {
		handled <- time.Now()
		return nil
	})
	idle(t, q)
	for range 3 { // then it looks no more than it must
		check.Send(t, q, check.Order{})
		<-handled
		time.Sleep(100 * time.Millisecond)
	}
	tx, err := check.NewPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
	check.OK(t, err)
	check.Exec(t, tx, `INSERT INTO `+pgx.Identifier{"pgmq", "q_" + q.Name()}.Sanitize()+` (vt, message) VALUES (now(), '{}')`)
	check.Send(t, q, check.Order{})
	<-handled
	time.Sleep(100 * time.Millisecond) // it has looked
	committed := time.Now()
	check.OK(t, tx.Commit(t.Context()))
	select {
	case at := <-handled:
		t.Logf("handled %v after the commit", at.Sub(committed))
	case <-time.After(3 * time.Second):
		t.Fatal("a message waits for 3 s")
	}
}
