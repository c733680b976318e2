package bench

import (
	"fmt"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// BenchmarkBareInsert is the baseline: one pgx call, one row, one commit, into a
// table like a queue's.
func BenchmarkBareInsert(b *testing.B) {
	pool, q := pgtest.Pool(), pgtest.Queue[check.Payload](b)
	sql := fmt.Sprintf(`INSERT INTO pgmq.q_%s (vt, message) VALUES (now(), $1) RETURNING msg_id`, q.Name())
	for b.Loop() {
		var id int64
		if err := pool.QueryRow(b.Context(), sql, check.Body).Scan(&id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	q := pgtest.Queue[check.Payload](b)
	for b.Loop() {
		if _, err := q.Send(b.Context(), check.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSendBatch(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			q := pgtest.Queue[check.Payload](b)
			bodies := make([]check.Payload, size)
			for i := range bodies {
				bodies[i] = check.Body
			}
			for b.Loop() {
				if _, err := q.SendBatch(b.Context(), bodies); err != nil {
					b.Fatal(err)
				}
			}
			perMessage(b, size)
		})
	}
}

func BenchmarkReadDelete(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			q := pgtest.Queue[check.Payload](b)
			fill(b, q, size*1000)
			for b.Loop() {
				msgs, err := q.Read(b.Context(), size)
				if err == nil {
					err = q.Delete(b.Context(), msgs...)
				}
				if err != nil {
					b.Fatal(err)
				}
				if len(msgs) < size {
					b.StopTimer()
					fill(b, q, size*1000)
					b.StartTimer()
				}
			}
			perMessage(b, size)
		})
	}
}

func fill(b *testing.B, q *queue.Queue[check.Payload], n int) {
	b.Helper()
	bodies := make([]check.Payload, n)
	for i := range bodies {
		bodies[i] = check.Body
	}
	if _, err := q.SendBatch(b.Context(), bodies); err != nil {
		b.Fatal(err)
	}
}

// perMessage reports the time of one message beside that of one call.
func perMessage(b *testing.B, size int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/msg")
}
