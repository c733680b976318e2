package tests

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestWhatWasSentBeforeAConsumerWaitedAndCommitsWhileItDoesIsFoundSoon(t *testing.T) {
	// Not parallel: while others commit, the server tells more of what runs.
	for _, senders := range []int{1, 3} {
		q := pgtest.Queue[Order](t)
		var commits []func(context.Context) error
		for range senders {
			tx, err := newPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
			ok(t, err)
			send(t, q.WithTx(tx), Order{}) // nobody waits, so it announces nothing
			commits = append(commits, tx.Commit)
		}
		handled := make(chan time.Time, senders)
		consume(t, q, func(context.Context, *queue.Message[Order]) error {
			handled <- time.Now()
			return nil
		})
		idle(t, q)
		time.Sleep(100 * time.Millisecond) // it has looked
		for _, commit := range commits {
			committed := time.Now()
			ok(t, commit(t.Context()))
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
	t.Parallel()
	q := pgtest.Queue[Order](t)
	tx, err := newPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
	ok(t, err)
	sendBatch(t, q.WithTx(tx), make([]Order, 3000)) // nobody waits, so it announces nothing
	consume(t, q, nothing)
	idle(t, q)
	time.Sleep(300 * time.Millisecond) // it has looked, and its floor is above them
	ok(t, tx.Commit(t.Context()))
	committed := time.Now()
	eventually(t, "all are handled", func() bool { return length(t, q) == 0 })
	if took := time.Since(committed); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Of senders that commit together one announces, and what the others sent may be
// seen later than what it woke a consumer for.
func TestWhatWasSentUnannouncedBeforeALoneMessageWasReadIsFoundSoon(t *testing.T) {
	// Not parallel: while others commit, the server tells more of what runs.
	q := pgtest.Queue[Order](t)
	handled := make(chan time.Time)
	consume(t, q, func(context.Context, *queue.Message[Order]) error {
		handled <- time.Now()
		return nil
	})
	idle(t, q)
	for range 3 { // then it looks no more than it must
		send(t, q, Order{})
		<-handled
		time.Sleep(100 * time.Millisecond)
	}
	tx, err := newPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
	ok(t, err)
	exec(t, tx, `INSERT INTO `+pgx.Identifier{"pgmq", "q_" + q.Name()}.Sanitize()+` (vt, message) VALUES (now(), '{}')`)
	send(t, q, Order{})
	<-handled
	time.Sleep(100 * time.Millisecond) // it has looked
	committed := time.Now()
	ok(t, tx.Commit(t.Context()))
	select {
	case at := <-handled:
		t.Logf("handled %v after the commit", at.Sub(committed))
	case <-time.After(3 * time.Second):
		t.Fatal("a message waits for 3 s")
	}
}
