package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

const secret = "31337001"

func TestErrorsSayWhereTheyHappened(t *testing.T) {
	check.Parallel(t)
	q := check.Open[check.Order](t, pgtest.Pool(), "no such")
	for op, call := range map[string]func() error{
		"send":       func() error { _, err := q.Send(t.Context(), check.Order{}); return err },
		"send batch": func() error { _, err := q.SendBatch(t.Context(), []check.Order{{}}); return err },
		"read":       func() error { _, err := q.Read(t.Context(), 1); return err },
		"pop":        func() error { _, err := q.Pop(t.Context(), 1); return err },
		"delete":     func() error { return q.Delete(t.Context(), &queue.Message[check.Order]{ID: 1}) },
		"purge":      func() error { _, err := admin.Purge(t.Context(), pgtest.Pool(), "no such"); return err },
		"drop":       func() error { return admin.Drop(t.Context(), pgtest.Pool(), "no such") },
		"stats":      func() error { _, err := admin.Stats(t.Context(), pgtest.Pool(), "no such"); return err },
	} {
		err := call()
		check.Is(t, err, queue.ErrNoQueue)
		if !strings.HasPrefix(err.Error(), `queue "no such": `+op+`: no such queue`) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestBodiesAreNotInTheErrorsOfSending(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[any](t)
	for _, body := range []any{
		secret + "\x00", "\xff" + secret, json.RawMessage(`"` + secret + `\ud800"`), json.RawMessage(secret + "e400000"),
		json.RawMessage(`{"` + secret + `":`), json.RawMessage(secret + " " + secret),
	} {
		_, err := q.Send(t.Context(), body)
		noSecret(t, err)
		_, err = q.SendBatch(t.Context(), []any{1, body})
		noSecret(t, err)
		_, err = q.Send(t.Context(), 1, queue.Headers{"h": body})
		noSecret(t, err)
	}
}

func TestBodiesAreNotInTheTextOfDecodeErrors(t *testing.T) {
	check.Parallel(t)
	for name, undecodable := range map[string]func(t *testing.T) error{
		"a string for a number":   fails[int](`"` + secret + `"`),
		"a number for a string":   fails[string](secret),
		"a number out of range":   fails[int8](secret),
		"a number with fractions": fails[int](secret + ".5"),
		"a time":                  fails[time.Time](`"` + secret + `"`),
		"a number in a string": fails[struct {
			N int `json:"n,string"`
		}](`{"n": "x` + secret + `"}`),
		"base64":      fails[[]byte](`"` + secret + `!"`),
		"a map's key": fails[map[int]int](`{"x` + secret + `": 1}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := undecodable(t)
			noSecret(t, err)
			if e := check.As[*queue.DecodeError](t, err); !strings.Contains(string(e.Raw), secret) || e.Err == nil {
				t.Errorf("Raw is %s, Err is %v", e.Raw, e.Err)
			}
		})
	}
}

// fails returns the error of reading a body that is no T.
func fails[T any](body string) func(*testing.T) error {
	return func(t *testing.T) error {
		t.Helper()
		q := pgtest.Queue[T](t)
		insert(t, q.Name(), &body, nil)
		_, err := q.Read(t.Context(), 1)
		return err
	}
}

func noSecret(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
	} else if strings.Contains(err.Error(), secret) {
		t.Errorf("the error tells the secret: %v", err)
	}
}

func TestPasswordIsNotInTheErrorsOfConnecting(t *testing.T) {
	check.Parallel(t)
	for name, change := range map[string]func(*pgx.ConnConfig){
		"no such database": func(c *pgx.ConnConfig) { c.Database = "no_such_database" },
		"no such role":     func(c *pgx.ConnConfig) { c.User = "no_such_role" },
		"nobody listens":   func(c *pgx.ConnConfig) { c.Host, c.Port, c.Fallbacks = "127.0.0.1", 1, nil },
	} {
		pool := check.NewPool(t, func(c *pgxpool.Config) {
			change(c.ConnConfig)
			c.ConnConfig.Password = secret
		})
		_, err := check.Open[int](t, pool, "q").Send(t.Context(), 1)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		noSecret(t, err)
		noSecret(t, admin.Create(t.Context(), pool, "q"))
	}
}

// The server's refusals carry the row that they refused, but not in their text.
func TestRefusalsOfTheServerTellNoBody(t *testing.T) {
	check.Parallel(t)
	var out check.Buffer
	plain := pgtest.Queue[string](t)
	q, err := queue.New[string](pgtest.Pool(), plain.Name(),
		queue.Observe(queue.LogObserver(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))))
	check.OK(t, err)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} ADD CHECK (message <> '"`+secret+`"')`))
	_, err = q.Send(t.Context(), secret)
	noSecret(t, err)
	check.Contains(t, check.As[*pgconn.PgError](t, err).Detail, secret) // so there is something to tell
	_, err = q.SendBatch(t.Context(), []string{"a", secret})
	noSecret(t, err)
	_, err = q.Send(t.Context(), secret, queue.Headers{"h": secret})
	noSecret(t, err)

	// A consumer logs a result that the server refuses.
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {A} ADD CHECK (message <> '"`+secret+`2"')`))
	check.Send(t, plain, secret+"2")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- q.Consume(ctx, func(context.Context, *queue.Message[string]) error { return nil }, queue.ArchiveDone{})
	}()
	check.Eventually(t, "the refusal is logged", func() bool { return strings.Contains(out.String(), "check constraint") })
	cancel()
	check.Receive(t, done)
	if strings.Contains(out.String(), secret) {
		t.Errorf("the log tells the secret:\n%s", &out)
	}
}
