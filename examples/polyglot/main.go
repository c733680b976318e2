// Polyglot answers questions from SQL. psql sends a number to one queue, this
// program answers on another whether it is a prime, and psql reads the answer.
//
//	go run ./examples/polyglot
//	psql "$DATABASE_URL" -v number=2305843009213693951 -f examples/polyglot/ask.sql
//
// Any language with a Postgres driver can do the same as ask.sql; PGMQ's clients do.
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
	// One transaction settles the question and sends the answer: no answer is lost,
	// and none is sent twice.
	return questions.ConsumeTx(ctx, func(ctx context.Context, tx pgx.Tx, m *queue.Message[question]) error {
		n := m.Body.Number
		if n == nil { // a sender in SQL may send any JSON
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
