package check

import (
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// InArchive is a queue with n messages, numbered by their ids, in its archive:
// message i was archived i hours after the start of the year 2020.
func InArchive(t testing.TB, n int) *queue.Queue[int] {
	t.Helper()
	q := pgtest.Queue[int](t)
	bodies := make([]int, n)
	for i := range bodies {
		bodies[i] = i + 1
	}
	all := SendBatch(t, q, bodies, queue.Headers{"trace": "abc"})
	_, err := q.ArchiveID(t.Context(), all...)
	OK(t, err)
	Exec(t, pgtest.Pool(), Tables(q.Name(), `UPDATE {A} SET archived_at = '2020-01-01 00:00:00+00'::timestamptz + msg_id * interval '1 hour'`))
	return q
}

// Hourly is when message n of such a queue was archived.
func Hourly(n int) time.Time {
	return time.Date(2020, 1, 1, n, 0, 0, 0, time.UTC)
}

// ArchivedIDs are those in the archive.
func ArchivedIDs[T any](t testing.TB, q *queue.Queue[T], opts ...queue.ArchiveOption) []int64 {
	t.Helper()
	var all []int64
	for m, err := range q.Archived(t.Context(), opts...) {
		OK(t, err)
		all = append(all, m.ID)
	}
	return all
}
