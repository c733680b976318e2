package check

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// Payload is 100 bytes of JSON.
type Payload struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// Body is the Payload that benchmarks send.
var Body = Payload{ID: 4711, Text: "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod te"}

// Order is the body of most messages here.
type Order struct {
	ID       int64  `json:"order_id"`
	Customer string `json:"customer"`
}

// Send sends a message and returns its ID.
func Send[T any](t testing.TB, q *queue.Queue[T], body T, opts ...queue.SendOption) int64 {
	t.Helper()
	id, err := q.Send(t.Context(), body, opts...)
	OK(t, err)
	return id
}

// SendBatch sends messages and returns their IDs.
func SendBatch[T any](t testing.TB, q *queue.Queue[T], bodies []T, opts ...queue.SendOption) []int64 {
	t.Helper()
	sent, err := q.SendBatch(t.Context(), bodies, opts...)
	OK(t, err)
	Equal(t, "the number of ids", len(sent), len(bodies))
	return sent
}

// Read reads up to n messages.
func Read[T any](t testing.TB, q *queue.Queue[T], n int, opts ...queue.ReadOption) []*queue.Message[T] {
	t.Helper()
	msgs, err := q.Read(t.Context(), n, opts...)
	OK(t, err)
	return msgs
}

// ReadOne reads the only message that can be read.
func ReadOne[T any](t testing.TB, q *queue.Queue[T], opts ...queue.ReadOption) *queue.Message[T] {
	t.Helper()
	msgs := Read(t, q, 2, opts...)
	if len(msgs) != 1 {
		t.Fatalf("read %d messages, not 1", len(msgs))
	}
	return msgs[0]
}

// ReadNone fails the test if a message is visible.
func ReadNone[T any](t testing.TB, q *queue.Queue[T]) {
	t.Helper()
	if msgs := Read(t, q, 1); len(msgs) != 0 {
		t.Fatalf("read message %d, where none should be visible", msgs[0].ID)
	}
}

// IDs returns the IDs of messages.
func IDs[T any](msgs []*queue.Message[T]) []int64 {
	var all []int64
	for _, m := range msgs {
		all = append(all, m.ID)
	}
	return all
}

// Length counts the messages of a queue, hidden ones too.
func Length[T any](t testing.TB, q *queue.Queue[T]) int64 {
	t.Helper()
	stats, err := admin.Stats(t.Context(), pgtest.Pool(), q.Name())
	OK(t, err)
	return stats.Length
}

// Open is queue.New for a queue that exists.
func Open[T any](t testing.TB, db queue.DB, name string) *queue.Queue[T] {
	t.Helper()
	q, err := queue.New[T](db, name)
	OK(t, err)
	return q
}

// QueueNames lists the queues of a database. It is empty without the schema.
func QueueNames(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	infos, err := admin.List(t.Context(), pool)
	if errors.Is(err, queue.ErrNoSchema) {
		return nil
	}
	OK(t, err)
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}

// Peek peeks at up to n messages.
func Peek[T any](t testing.TB, q *queue.Queue[T], n int, opts ...queue.PeekOption) []*queue.Message[T] {
	t.Helper()
	msgs, err := q.Peek(t.Context(), n, opts...)
	OK(t, err)
	return msgs
}

// EachOnce fails the test unless each message that was sent was deleted once.
func EachOnce(t *testing.T, deleted map[int64]int, sent []int64) {
	t.Helper()
	Equal(t, "messages deleted", len(deleted), len(sent))
	for _, id := range sent {
		if deleted[id] != 1 {
			t.Fatalf("message %d was deleted %d times", id, deleted[id])
		}
	}
}
