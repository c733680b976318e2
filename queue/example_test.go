package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
)

// The examples run, against a real Postgres.
func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, nil))
}

type OrderPlaced struct {
	OrderID  int64  `json:"order_id"`
	Customer string `json:"customer"`
}

func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool := pgtest.Pool()
	exec(ctx, "CREATE TABLE orders (id bigint, customer text)")
	ship := func(_ context.Context, order int64) error {
		fmt.Println("shipped", order)
		stop() // it is an example
		return nil
	}

	for _, name := range []string{"orders", "orders_dead"} {
		if err := admin.Create(ctx, pool, name); err != nil {
			log.Fatal(err)
		}
	}
	orders, err := queue.New[OrderPlaced](pool, "orders")
	if err != nil {
		log.Fatal(err)
	}

	// Sent with the order, or not at all.
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO orders VALUES ($1, $2)", 42, "ada"); err != nil {
			return err
		}
		_, err := orders.WithTx(tx).Send(ctx, OrderPlaced{OrderID: 42, Customer: "ada"})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	// Work until SIGTERM, then finish the running handlers.
	err = orders.Consume(ctx, func(ctx context.Context, m *queue.Message[OrderPlaced]) error {
		return ship(ctx, m.Body.OrderID) // an error: again later, five times at most
	}, queue.Workers(8), queue.MaxReads(5), queue.DeadLetterTo("orders_dead"))
	if err != nil {
		log.Fatal(err)
	}
	// Output: shipped 42
}

func exec(ctx context.Context, sql string) {
	if _, err := pgtest.Pool().Exec(ctx, sql); err != nil {
		log.Fatal(err)
	}
}

func create(name string) {
	if err := admin.Create(context.Background(), pgtest.Pool(), name); err != nil {
		log.Fatal(err)
	}
}

// fresh makes the queue of an example.
func fresh[T any](name string) *queue.Queue[T] {
	create(name)
	q, err := queue.New[T](pgtest.Pool(), name)
	if err != nil {
		log.Fatal(err)
	}
	return q
}

func Example_migrate() {
	ctx, pool := context.Background(), pgtest.Pool()

	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	if err := schema.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	if err := admin.Create(ctx, pool, "invoices"); err != nil {
		log.Fatal(err)
	}
	// Output:
}

// A message can stay hidden at first: for a time, or until a time.
func ExampleQueue_Send() {
	ctx, reminders := context.Background(), fresh[string]("reminders")

	id, err := reminders.Send(ctx, "stand up", queue.Delay(20*time.Minute), queue.Headers{"trace": "4bf92f35"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sent", id)

	msgs, err := reminders.Read(ctx, 1)
	fmt.Println("visible:", len(msgs), err)
	// Output:
	// sent 1
	// visible: 0 <nil>
}

// A batch of any size is one round trip and one statement: all or nothing.
func ExampleQueue_SendBatch() {
	ctx, numbers := context.Background(), fresh[int]("numbers")

	ids, err := numbers.SendBatch(ctx, []int{10, 20, 30})
	fmt.Println(ids, err)
	// Output: [1 2 3] <nil>
}

// A message that does not decode does not hold up its neighbours.
func ExampleQueue_Read_undecodable() {
	ctx, numbers := context.Background(), fresh[int]("mixed")
	exec(ctx, `INSERT INTO pgmq.q_mixed (vt, message) VALUES (now(), '1'), (now(), '"two"'), (now(), '3')`)

	msgs, err := numbers.Read(ctx, 10)
	for _, bad := range queue.DecodeErrors(err) {
		fmt.Printf("message %d is %s\n", bad.ID, bad.Raw)
		if _, err := numbers.ArchiveID(ctx, bad.ID); err != nil {
			log.Fatal(err)
		}
	}
	for _, m := range msgs {
		fmt.Println("read", m.Body)
	}
	// Output:
	// message 2 is "two"
	// read 1
	// read 3
}

// Pop is for messages that may be lost.
func ExampleQueue_Pop() {
	ctx, jokes := context.Background(), fresh[string]("jokes")
	if _, err := jokes.Send(ctx, "a UDP joke"); err != nil {
		log.Fatal(err)
	}

	for range 2 {
		msgs, err := jokes.Pop(ctx, 1)
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range msgs {
			fmt.Println(m.Body)
		}
	}
	// Output: a UDP joke
}

// A stale holder gets an error, and changes nothing.
func ExampleQueue_Delete() {
	ctx, jobs := context.Background(), fresh[string]("jobs")
	if _, err := jobs.Send(ctx, "resize"); err != nil {
		log.Fatal(err)
	}

	slow, err := jobs.Read(ctx, 1, queue.VT(time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	other, err := jobs.Read(ctx, 1, queue.WaitFor(time.Second)) // the first lease has ended
	if err != nil {
		log.Fatal(err)
	}

	err = jobs.Delete(ctx, slow...)
	fmt.Println("slow:", errors.Is(err, queue.ErrLeaseLost))
	err = jobs.Delete(ctx, other...)
	fmt.Println("other:", err)
	// Output:
	// slow: true
	// other: <nil>
}

// Keep a message while the work takes longer, or give it back at once.
func ExampleQueue_SetVT() {
	ctx, jobs := context.Background(), fresh[string]("long_jobs")
	if _, err := jobs.Send(ctx, "transcode"); err != nil {
		log.Fatal(err)
	}
	msgs, err := jobs.Read(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}

	if err := jobs.SetVT(ctx, 10*time.Minute, msgs...); err != nil {
		log.Fatal(err)
	}
	if err := jobs.SetVT(ctx, 0, msgs...); err != nil {
		log.Fatal(err)
	}
	again, err := jobs.Read(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again[0].Body, "read", again[0].Reads, "times")
	// Output: transcode read 2 times
}

// The archive keeps finished messages, for as long as you want.
func ExampleQueue_Archive() {
	ctx, payments := context.Background(), fresh[json.RawMessage]("payments")
	if _, err := payments.Send(ctx, json.RawMessage(`{"cents": 995}`)); err != nil {
		log.Fatal(err)
	}
	msgs, err := payments.Read(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := payments.Archive(ctx, msgs...); err != nil {
		log.Fatal(err)
	}

	var cents int
	err = pgtest.Pool().QueryRow(ctx, "SELECT message->'cents' FROM pgmq.a_payments WHERE msg_id = $1", msgs[0].ID).Scan(&cents)
	fmt.Println(cents, err)
	// Output: 995 <nil>
}
