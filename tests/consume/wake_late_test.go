package consume

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestWhatWasSentBeforeAConsumerWaitedAndCommitsWhileItDoesIsFoundSoon(t *testing.T) {
	check.Alone(t) // while others commit, the server tells more of what runs
	senders := 1
	check.Repeatedly(t, 10, "to find what commits late", func() { // by the regular scan it would take up to 15 s
		senders = 4 - senders
		pool, statements := traced(t, pgtest.Pool())
		q := pgtest.Queue[check.Order](t)
		var commits []func(context.Context) error
		for range senders {
			tx, err := check.NewPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
			check.OK(t, err)
			check.Send(t, q.WithTx(tx), check.Order{}) // nobody waits, so it notifies nothing
			commits = append(commits, tx.Commit)
		}
		handled := make(chan struct{}, senders)
		c := check.Consume(t, check.Open[check.Order](t, pool, q.Name()), func(context.Context, *queue.Message[check.Order]) error {
			handled <- struct{}{}
			return nil
		})
		idle(t, q)
		check.Eventually(t, "it has looked", func() bool { return statements.CountOf("-- name: Scan ") > 0 })
		for _, commit := range commits {
			check.OK(t, commit(t.Context()))
			check.Receive(t, handled)
		}
		check.OK(t, c.End())
	})
}

// A look names the messages that it finds, but not thousands.
func TestManyThatWereSentBeforeAConsumerWaitedAreFoundSoon(t *testing.T) {
	check.Parallel(t)
	check.Repeatedly(t, 8, "to find many", func() { // by the regular scan it would take up to 15 s
		q := pgtest.Queue[check.Order](t)
		tx, err := check.NewPool(t, func(*pgxpool.Config) {}).Begin(t.Context())
		check.OK(t, err)
		check.SendBatch(t, q.WithTx(tx), make([]check.Order, 3000)) // nobody waits, so it notifies nothing
		c := check.Consume(t, q, nothing)
		idle(t, q)
		time.Sleep(300 * time.Millisecond) // so that its low-water mark is above them
		check.OK(t, tx.Commit(t.Context()))
		check.Eventually(t, "all are handled", func() bool { return check.Length(t, q) == 0 })
		check.OK(t, c.End())
	})
}

// Of senders that commit together one notifies. The messages of the others may become
// visible later than the message that woke a consumer.
func TestWhatWasSentWithoutANotificationBeforeASingleMessageWasReadIsFoundSoon(t *testing.T) {
	check.Alone(t) // while others commit, the server tells more of what runs
	q := pgtest.Queue[check.Order](t)
	pool, statements := traced(t, pgtest.Pool())
	handled := make(chan struct{}, 1)
	check.Consume(t, check.Open[check.Order](t, pool, q.Name()), func(context.Context, *queue.Message[check.Order]) error {
		check.Put(handled, struct{}{})
		return nil
	})
	idle(t, q)
	for range 3 { // then it looks no more than it must
		check.Send(t, q, check.Order{})
		check.Receive(t, handled)
		statements.Rest(t)
	}
	check.Repeatedly(t, 10, "to find it", func() { // by the regular scan it would take up to 15 s
		tx, err := pgtest.Pool().Begin(t.Context())
		check.OK(t, err)
		check.Exec(t, tx, check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '{}')`))
		check.Send(t, q, check.Order{})
		check.Receive(t, handled)
		time.Sleep(100 * time.Millisecond) // so that it has looked
		check.OK(t, tx.Commit(t.Context()))
		check.Receive(t, handled)
	})
}
