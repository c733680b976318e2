package check

import (
	"testing"

	"github.com/pgmq-go/pgmq/queue"
)

// Pop pops one message, which there must be.
func Pop[T any](t testing.TB, q *queue.Queue[T]) *queue.Message[T] {
	t.Helper()
	msgs, err := q.Pop(t.Context(), 1)
	OK(t, err)
	if len(msgs) != 1 {
		t.Fatalf("popped %d messages, not 1", len(msgs))
	}
	return msgs[0]
}
