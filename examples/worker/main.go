// Worker delivers webhooks, which often fail. It retries a failed delivery, each
// time after a longer pause. A delivery that cannot succeed becomes a dead letter
// at once, and any other after five failures. An operator inspects the dead letters
// and sends them back.
//
//	go run ./examples/worker
//	go run ./cmd/pgmq send webhooks '{"url": "http://localhost:9/", "event": "hello"}'
//
// Nothing listens on that port, so after some two seconds the message becomes a
// dead letter. See why, repair the cause, and send the message back:
//
//	go run ./cmd/pgmq peek webhooks_dead
//	go run ./examples/worker redrive
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

type webhook struct {
	URL   string          `json:"url"`
	Event json.RawMessage `json:"event"`
}

// deliver posts the webhook. Its error decides the disposition of the message.
func deliver(ctx context.Context, m *queue.Message[webhook]) error {
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Body.URL, bytes.NewReader(m.Body.Event))
	if err != nil {
		return queue.DeadLetter(err) // not a URL: a retry cannot succeed
	}
	post.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(post)
	if err != nil {
		return err // retry after the Backoff
	}
	defer answer.Body.Close()
	failed := fmt.Errorf("%s answers %s", m.Body.URL, answer.Status)
	switch {
	case answer.StatusCode < 300:
		return nil
	case answer.StatusCode == http.StatusGone:
		return queue.DeadLetter(failed)
	case answer.StatusCode == http.StatusTooManyRequests:
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
			return queue.RetryIn(time.Duration(seconds)*time.Second, failed)
		}
	}
	return failed
}

// soon is a short backoff, for this example. The default backoff is 1 s, doubling up
// to 5 minutes.
func soon(reads int) time.Duration { return time.Duration(reads) * 200 * time.Millisecond }

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, name := range []string{"webhooks", "webhooks_dead"} {
		if err := admin.Create(ctx, pool, name); err != nil {
			return err
		}
	}
	if len(os.Args) == 2 && os.Args[1] == "redrive" {
		moved, err := admin.Redrive(ctx, pool, "webhooks_dead")
		log.Printf("%d messages go back", moved)
		return err
	}
	webhooks, err := queue.New[webhook](pool, "webhooks")
	if err != nil {
		return err
	}
	return webhooks.Consume(ctx, deliver, queue.HandlerTimeout(10*time.Second),
		queue.Workers(16), queue.Backoff(soon), queue.MaxReads(5), queue.DeadLetterTo("webhooks_dead"))
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
