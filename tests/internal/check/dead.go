package check

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// Steal takes a message from its holder, as another reader would whose
// read came after the end of the lease.
func Steal(t testing.TB, name string, id int64) {
	t.Helper()
	Exec(t, pgtest.Pool(), Tables(name, `UPDATE {Q} SET read_ct = read_ct + 1, last_read_at = now(), vt = now() + '1 h' WHERE msg_id = $1`), id)
}

// ErrWork is the error of a handler that fails.
var ErrWork = errors.New("the printer is out of paper")

// DeathOf returns the Death of a message.
func DeathOf[T any](t testing.TB, m *queue.Message[T]) queue.Death {
	t.Helper()
	d := m.Death()
	if d == nil {
		t.Fatalf("the headers are %s", m.RawHeaders())
	}
	return *d
}

// Receipts are those of the messages that a read returns, which is all there are.
func Receipts(t testing.TB, name string) db.DeadLetterParams {
	t.Helper()
	p := db.DeadLetterParams{Source: name}
	rows, err := pgtest.Pool().Query(t.Context(), `SELECT msg_id, read_ct, last_read_at FROM pgmq.read($1, 3600, 1000)`, name)
	OK(t, err)
	defer rows.Close()
	for rows.Next() {
		var id int64
		var reads int32
		var at time.Time
		OK(t, rows.Scan(&id, &reads, &at))
		p.MsgIDs, p.ReadCts, p.LastReadAts = append(p.MsgIDs, id), append(p.ReadCts, reads), append(p.LastReadAts, at)
		p.Notes = append(p.Notes, json.RawMessage(`{"reason": "max reads", "error": "it broke"}`))
	}
	OK(t, rows.Err())
	return p
}

// Unhide makes all messages of a queue visible.
func Unhide[T any](t testing.TB, q *queue.Queue[T]) {
	t.Helper()
	Exec(t, pgtest.Pool(), Tables(q.Name(), `UPDATE {Q} SET vt = now()`))
}

// DeadLetters sends bodies to a queue whose handler says that all are dead letters,
// and returns it and its dead-letter queue.
func DeadLetters(t testing.TB, bodies []Order) (q, dead *queue.Queue[Order]) {
	t.Helper()
	q, dead = pgtest.Queue[Order](t), pgtest.Queue[Order](t)
	SendBatch(t, q, bodies, queue.Headers{"trace": "abc"})
	c := Consume(t, q, func(_ context.Context, m *queue.Message[Order]) error {
		if m.Body.ID%2 == 1 {
			return queue.DeadLetter(ErrWork)
		}
		return ErrWork
	}, queue.DeadLetterTo(dead.Name()), queue.MaxReads(1), queue.Workers(1))
	Eventually(t, "all are dead", func() bool { return Length(t, dead) == int64(len(bodies)) })
	OK(t, c.End())
	return q, dead
}

// Numbered returns n orders with the IDs 0 to n-1.
func Numbered(n int) []Order {
	bodies := make([]Order, n)
	for i := range bodies {
		bodies[i].ID = int64(i)
	}
	return bodies
}
