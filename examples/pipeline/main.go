// Pipeline books payments, and then issues their receipts: two steps, with a queue
// before each. In one transaction, a step settles its message, writes its result
// and sends the message for the next step. So each payment is booked once and has
// one receipt, although no table has a unique key. You may kill the program at any
// time and start it again. When all is done, it prints the counts and ends:
//
//	go build -o build/pipeline ./examples/pipeline && build/pipeline 10000
//	until timeout -s KILL 1 build/pipeline; do echo killed; done
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

type payment struct {
	ID    int64 `json:"id"`
	Cents int64 `json:"cents"`
}

type pipeline struct {
	pool               *pgxpool.Pool
	payments, receipts *queue.Queue[payment]
}

// book is the first step. ConsumeTx commits it together with the end of its message.
func (p pipeline) book(ctx context.Context, tx pgx.Tx, m *queue.Message[payment]) error {
	if _, err := tx.Exec(ctx, "INSERT INTO bookings VALUES ($1, $2)", m.Body.ID, m.Body.Cents); err != nil {
		return err
	}
	_, err := p.receipts.WithTx(tx).Send(ctx, m.Body)
	return err
}

// issue is the second step.
func (p pipeline) issue(ctx context.Context, tx pgx.Tx, m *queue.Message[payment]) error {
	_, err := tx.Exec(ctx, "INSERT INTO receipts VALUES ($1)", m.Body.ID)
	return err
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	config.MaxConns = 10 // each handler needs one for its transaction
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	p := pipeline{pool: pool}
	if p.payments, err = made(ctx, pool, "payments", "bookings (payment bigint, cents bigint)"); err != nil {
		return err
	}
	if p.receipts, err = made(ctx, pool, "receipts", "receipts (payment bigint)"); err != nil {
		return err
	}
	if len(os.Args) == 2 {
		return p.send(ctx, os.Args[1])
	}
	vt := queue.VT(2 * time.Second) // a killed process' messages wait for this long
	return queue.Run(ctx,
		func(ctx context.Context) error { return p.payments.ConsumeTx(ctx, p.book, vt, queue.Workers(4)) },
		func(ctx context.Context) error { return p.receipts.ConsumeTx(ctx, p.issue, vt, queue.Workers(4)) },
		func(ctx context.Context) error { defer stop(); return p.done(ctx) },
	)
}

// made creates a queue and a table, unless they exist.
func made(ctx context.Context, pool *pgxpool.Pool, name, table string) (*queue.Queue[payment], error) {
	if err := admin.Create(ctx, pool, name); err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+table); err != nil {
		return nil, err
	}
	return queue.New[payment](pool, name)
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
