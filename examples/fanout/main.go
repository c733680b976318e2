// Fanout publishes events to three queues by topic. Each queue is bound to the
// topics that it wants. It gets its own copy of an event, with its own pace and its
// own retries. The publisher knows none of the queues.
//
//	go run ./examples/fanout
//	go run ./examples/fanout orders.eu.placed '{"id": 1}'
//
// The first command consumes until you stop it. The second publishes an event.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// topics maps each queue to its pattern: * matches within one word, # matches
// anything.
var topics = map[string]string{
	"billing":  "orders.*.placed",
	"europe":   "orders.eu.#",
	"auditing": "#",
}

func publish(ctx context.Context, pool *pgxpool.Pool, topic, event string) error {
	var copies int
	if err := pool.QueryRow(ctx, "SELECT pgmq.send_topic($1, $2)", topic, event).Scan(&copies); err != nil {
		return err
	}
	log.Printf("%s goes to %d queues", topic, copies)
	return nil
}

// consumer creates and binds a queue, then consumes it. Creating and binding do
// nothing if the queue and the binding exist.
func consumer(pool *pgxpool.Pool, name, topic string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := admin.Create(ctx, pool, name); err != nil {
			return err
		}
		if _, err := pool.Exec(ctx, "SELECT pgmq.bind_topic($1, $2)", topic, name); err != nil {
			return err
		}
		events, err := queue.New[json.RawMessage](pool, name)
		if err != nil {
			return err
		}
		log.Printf("%s has %s", name, topic)
		return events.Consume(ctx, func(_ context.Context, m *queue.Message[json.RawMessage]) error {
			log.Printf("%s got %s", name, m.Body)
			return nil
		})
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	if len(os.Args) == 3 {
		return publish(ctx, pool, os.Args[1], os.Args[2])
	}
	var consumers []func(context.Context) error
	for name, topic := range topics {
		consumers = append(consumers, consumer(pool, name, topic))
	}
	return queue.Run(ctx, consumers...)
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
