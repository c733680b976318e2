package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// A handler's result decides the disposition of its message.
func ExampleQueue_Consume() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	invites, dead := fresh[string]("invites"), fresh[string]("invites_dead")
	if _, err := invites.SendBatch(ctx, []string{"ada@example.org", "nonsense"}); err != nil {
		log.Fatal(err)
	}

	err := invites.Consume(ctx, func(_ context.Context, m *queue.Message[string]) error {
		switch {
		case !strings.Contains(m.Body, "@"):
			stop() // it is an example
			return queue.DeadLetter(errors.New("this is no address"))
		case m.Reads == 1:
			return queue.RetryIn(time.Minute, errors.New("the mail server is busy"))
		}
		fmt.Println("invited", m.Body)
		return nil
	}, queue.Workers(1), queue.DeadLetterTo(dead.Name()))
	if err != nil {
		log.Fatal(err)
	}

	letters, err := dead.Read(context.Background(), 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(letters[0].Body, "is dead:", letters[0].Death().Error)
	// Output: nonsense is dead: this is no address
}

// The effect and the settling commit together: exactly-once effect.
func ExampleQueue_ConsumeTx() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	exec(ctx, "CREATE TABLE balance (cents bigint); INSERT INTO balance VALUES (0)")
	deposits := fresh[int64]("deposits")
	if _, err := deposits.Send(ctx, 995); err != nil {
		log.Fatal(err)
	}

	err := deposits.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
		if _, err := tx.Exec(ctx, "UPDATE balance SET cents = cents + $1", m.Body); err != nil {
			return err
		}
		if m.Reads == 1 {
			return queue.RetryIn(0, errors.New("something else failed")) // the update is undone
		}
		stop() // it is an example
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}

	var cents int64
	err = pgtest.Pool().QueryRow(context.Background(), "SELECT cents FROM balance").Scan(&cents)
	fmt.Println(cents, err)
	// Output: 995 <nil>
}

// A batch handler takes several messages at once.
func ExampleQueue_ConsumeBatch() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	rows := fresh[int]("rows")
	if _, err := rows.SendBatch(ctx, []int{1, 2, 3, 4, 5}); err != nil {
		log.Fatal(err)
	}

	err := rows.ConsumeBatch(ctx, func(_ context.Context, msgs []*queue.Message[int]) error {
		failed := queue.Failures{}
		for _, m := range msgs {
			if m.Body == 3 {
				failed[m.ID] = queue.Discard(errors.New("nobody wants a 3"))
			}
		}
		fmt.Println(len(msgs), "rows,", len(failed), "failed")
		stop() // it is an example
		return failed
	}, queue.BatchSize(100), queue.BatchWait(50*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	// Output: 5 rows, 1 failed
}

// Messages is a loop in place of a handler.
func ExampleQueue_Messages() {
	ctx, notes := context.Background(), fresh[string]("notes")
	if _, err := notes.SendBatch(ctx, []string{"one", "two"}); err != nil {
		log.Fatal(err)
	}

	for m, err := range notes.Messages(ctx, queue.WaitFor(100*time.Millisecond)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Body)
		if err := notes.Delete(ctx, m); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// one
	// two
}

// Several consumers, one shutdown, one error.
func ExampleRun() {
	ctx, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer stop()
	cats, dogs := fresh[string]("cats"), fresh[string]("dogs")
	feed := func(context.Context, *queue.Message[string]) error { return nil }

	err := queue.Run(ctx,
		func(ctx context.Context) error { return cats.Consume(ctx, feed) },
		func(ctx context.Context) error { return dogs.Consume(ctx, feed, queue.Workers(2)) },
	)
	fmt.Println(err)
	// Output: <nil>
}

// An interceptor runs around every operation: this one hands a trace on from the
// context of a send to that of the handler, and times both.
func ExampleIntercept() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	type traceKey struct{}
	traced := func(ctx context.Context, op *queue.Operation, next func(context.Context) error) error {
		if trace := ctx.Value(traceKey{}); trace != nil {
			op.AddHeader("trace", trace)
		}
		if len(op.Deliveries) == 1 {
			ctx = context.WithValue(ctx, traceKey{}, op.Deliveries[0].Headers["trace"])
		}
		began := time.Now()
		err := next(ctx)
		fmt.Println(op.Kind, op.Queue, op.IDs, err, time.Since(began) > 0)
		return err
	}
	create("parcels")
	parcels, err := queue.New[string](pgtest.Pool(), "parcels", queue.Intercept(traced))
	if err != nil {
		log.Fatal(err)
	}

	if _, err := parcels.Send(context.WithValue(ctx, traceKey{}, "4bf92f35"), "a book"); err != nil {
		log.Fatal(err)
	}
	err = parcels.Consume(ctx, func(ctx context.Context, m *queue.Message[string]) error {
		fmt.Println(m.Body, ctx.Value(traceKey{}))
		stop() // it is an example
		return nil
	}, queue.HandlerTimeout(time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// send parcels [1] <nil> true
	// a book 4bf92f35
	// handle parcels [1] <nil> true
}

// A consumer logs to slog.Default(); an observer logs elsewhere, and sends as well.
func ExampleLogObserver() {
	withoutTime := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // so that the output of the example is known
		}
		return a
	}}
	create("pings")
	observer := queue.LogObserver(slog.New(slog.NewTextHandler(os.Stdout, withoutTime)))
	pings, err := queue.New[string](pgtest.Pool(), "pings", queue.Observe(observer))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pings.Send(context.Background(), "ping"); err != nil {
		log.Fatal(err)
	}
	// Output: level=DEBUG msg="pgmq: sent" queue=pings id=1
}
