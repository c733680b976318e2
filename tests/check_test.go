package tests

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// Order is the body of most messages here.
type Order struct {
	ID       int64  `json:"order_id"`
	Customer string `json:"customer"`
}

// patience is how long a test waits for what must happen sooner or later.
const patience = 30 * time.Second

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails the test unless err matches the target.
func is(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("the error is %v, not %v", err, target)
	}
}

// as returns the E in err, or fails the test.
func as[E error](t testing.TB, err error) E {
	t.Helper()
	e, found := errors.AsType[E](err)
	if !found {
		t.Fatalf("the error is %v, not a %T", err, e)
	}
	return e
}

// sqlState fails the test unless err is that of the server.
func sqlState(t testing.TB, err error, code string) {
	t.Helper()
	if pg := as[*pgconn.PgError](t, err); pg.Code != code {
		t.Fatalf("SQLSTATE is %s (%s), not %s", pg.Code, pg.Message, code)
	}
}

func equal[V comparable](t testing.TB, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, not %v", what, got, want)
	}
}

func equalAll[V comparable](t testing.TB, what string, got, want []V) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s are %v, not %v", what, got, want)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v passed, and it is still not so that %s", patience, what)
		}
	}
}

func send[T any](t testing.TB, q *queue.Queue[T], body T, opts ...queue.SendOption) int64 {
	t.Helper()
	id, err := q.Send(t.Context(), body, opts...)
	ok(t, err)
	return id
}

func sendBatch[T any](t testing.TB, q *queue.Queue[T], bodies []T, opts ...queue.SendOption) []int64 {
	t.Helper()
	sent, err := q.SendBatch(t.Context(), bodies, opts...)
	ok(t, err)
	equal(t, "the number of ids", len(sent), len(bodies))
	return sent
}

func read[T any](t testing.TB, q *queue.Queue[T], n int, opts ...queue.ReadOption) []*queue.Message[T] {
	t.Helper()
	msgs, err := q.Read(t.Context(), n, opts...)
	ok(t, err)
	return msgs
}

// readOne reads the only message that can be read.
func readOne[T any](t testing.TB, q *queue.Queue[T], opts ...queue.ReadOption) *queue.Message[T] {
	t.Helper()
	msgs := read(t, q, 2, opts...)
	if len(msgs) != 1 {
		t.Fatalf("read %d messages, not 1", len(msgs))
	}
	return msgs[0]
}

func readNone[T any](t testing.TB, q *queue.Queue[T]) {
	t.Helper()
	if msgs := read(t, q, 1); len(msgs) != 0 {
		t.Fatalf("read message %d, where none should be visible", msgs[0].ID)
	}
}

func ids[T any](msgs []*queue.Message[T]) []int64 {
	var all []int64
	for _, m := range msgs {
		all = append(all, m.ID)
	}
	return all
}

// length counts the messages of a queue, hidden ones too.
func length[T any](t testing.TB, q *queue.Queue[T]) int64 {
	t.Helper()
	stats, err := queue.Stats(t.Context(), pgtest.Pool(), q.Name())
	ok(t, err)
	return stats.Length
}

// querier is what a query can be sent to.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// value runs a query that returns one value.
func value[V any](t testing.TB, db querier, sql string, args ...any) V {
	t.Helper()
	var v V
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return v
}

// values runs a query that returns one column.
func values[V any](t testing.TB, db querier, sql string, args ...any) []V {
	t.Helper()
	rows, err := db.Query(t.Context(), sql, args...)
	ok(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[V])
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return all
}

func exec(t testing.TB, db querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// tables puts the tables of a queue in the place of {Q} and {A} in sql.
func tables(name, sql string) string {
	name = strings.ToLower(name)
	return strings.NewReplacer(
		"{Q}", pgx.Identifier{"pgmq", "q_" + name}.Sanitize(),
		"{A}", pgx.Identifier{"pgmq", "a_" + name}.Sanitize(),
	).Replace(sql)
}

// serverTime is the time by the server's clock.
func serverTime(t testing.TB) time.Time {
	t.Helper()
	return value[time.Time](t, pgtest.Pool(), "SELECT clock_timestamp()")
}

// newPool is another pool of the tests' database.
func newPool(t testing.TB, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	return poolLike(t, pgtest.Pool(), change)
}

// poolLike is another pool of the same database.
func poolLike(t testing.TB, p *pgxpool.Pool, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config := p.Config()
	config.MaxConns = 4
	change(config)
	other, err := pgxpool.NewWithConfig(t.Context(), config)
	ok(t, err)
	t.Cleanup(other.Close)
	return other
}

// open is queue.New for a queue that exists.
func open[T any](t testing.TB, db queue.DB, name string) *queue.Queue[T] {
	t.Helper()
	q, err := queue.New[T](db, name)
	ok(t, err)
	return q
}
