// Deploy mails newsletters. The script deploy.sh builds this program, applies the
// migrations and starts it. So its tables and queues exist before it runs, and it
// creates none.
//
//	sh examples/deploy/deploy.sh
//	go run ./cmd/pgmq send newsletters '{"subject": "hello"}'
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
)

type newsletter struct {
	Subject string `json:"subject"`
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	newsletters, err := queue.New[newsletter](pool, "newsletters")
	if err != nil {
		return err
	}
	log.Print("waiting for newsletters")
	return newsletters.Consume(ctx, func(ctx context.Context, m *queue.Message[newsletter]) error {
		var subscribers int
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM subscribers").Scan(&subscribers); err != nil {
			return err
		}
		log.Printf("%q goes to %d subscribers", m.Body.Subject, subscribers)
		return nil
	})
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
