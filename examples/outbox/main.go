// Outbox is an HTTP service that stores orders and sends a mail for each. It writes
// the order and its message in one transaction, so neither exists without the
// other. It needs no outbox table, no polling and no relay.
//
//	go run ./examples/outbox
//	curl --json '{"customer": "ada"}' localhost:8080/orders
//
// At SIGTERM it finishes the requests and the mails that it has begun, and then
// closes the pool. The other mails wait in the queue for the next start. ADDR is
// the address to listen on (default: localhost:8080).
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

type order struct {
	ID       int64  `json:"id"`
	Customer string `json:"customer"`
}

type shop struct {
	pool   *pgxpool.Pool
	placed *queue.Queue[order]
}

// place stores an order and sends its message.
func (s shop) place(ctx context.Context, customer string) (o order, err error) {
	o.Customer = customer
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		insert := tx.QueryRow(ctx, "INSERT INTO orders (customer) VALUES ($1) RETURNING id", customer)
		if err := insert.Scan(&o.ID); err != nil {
			return err
		}
		_, err := s.placed.WithTx(tx).Send(ctx, o)
		return err
	})
	return o, err
}

func (s shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked order
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Customer == "" {
		http.Error(w, `send {"customer": "…"}`, http.StatusBadRequest)
		return
	}
	o, err := s.place(r.Context(), asked.Customer)
	if err != nil {
		log.Print(err)
		http.Error(w, "not stored, try again", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(o)
}

// mail stands for an effect outside the database. If the process dies right after
// it, the effect may happen twice.
func mail(_ context.Context, m *queue.Message[order]) error {
	log.Printf("mail to %s: we have your order %d", m.Body.Customer, m.Body.ID)
	return nil
}

// serve answers requests until ctx ends, and then finishes those in progress.
func serve(ctx context.Context, addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	log.Printf("listening on http://%s", listener.Addr())
	server, ended := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second}, make(chan error, 1)
	context.AfterFunc(ctx, func() { ended <- server.Shutdown(context.WithoutCancel(ctx)) })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close() // last: requests and mails need it until they end
	if err := admin.Create(ctx, pool, "orders"); err != nil {
		return err
	}
	_, err = pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL)")
	if err != nil {
		return err
	}
	placed, err := queue.New[order](pool, "orders")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /orders", shop{pool, placed})
	return queue.Run(ctx,
		func(ctx context.Context) error { return serve(ctx, cmp.Or(os.Getenv("ADDR"), "localhost:8080"), mux) },
		func(ctx context.Context) error { return placed.Consume(ctx, mail, queue.ArchiveDone{}) },
	)
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
