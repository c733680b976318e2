// Polyglot answers questions that SQL asks: psql sends a number to one queue, this
// program says by another whether it is a prime, and psql reads that.
//
//	go run ./examples/polyglot
//	psql "$DATABASE_URL" -v number=2305843009213693951 -f examples/polyglot/ask.sql
//
// What ask.sql does, any language with a Postgres driver can do, and PGMQ's clients do.
package main

import (
	"context"
	"errors"
	"log"
	"math/big"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

type question struct {
	Number *big.Int `json:"number"`
}

type answer struct {
	Number *big.Int `json:"number"`
	Prime  bool     `json:"prime"`
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, name := range []string{"questions", "answers"} {
		if err := admin.Create(ctx, pool, name); err != nil {
			return err
		}
	}
	questions, err := queue.New[question](pool, "questions")
	if err != nil {
		return err
	}
	answers, err := queue.New[answer](pool, "answers")
	if err != nil {
		return err
	}
	log.Print("waiting for questions")
	// A question ends with its answer, in one transaction: no answer is lost or given twice.
	return questions.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[question]) error {
		n := m.Body.Number
		if n == nil { // anybody may send anything
			return queue.DeadLetter(errors.New("no number"))
		}
		_, err := answers.WithTx(tx).Send(ctx, answer{Number: n, Prime: n.ProbablyPrime(20)})
		return err
	}, queue.Workers(2))
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
