package bench

import (
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// BenchmarkTopics sends to a key that one of 10,000 bindings matches. A plain
// send to the queue, as many times in the same run, is its baseline: sends/op.
func BenchmarkTopics(b *testing.B) {
	pool, at, q := pgtest.Pool(), check.Topic(), pgtest.Queue[int](b)
	for _, shape := range []struct{ name, pattern, key string }{
		{"exact", `'T.k' || i`, "T.k77"},
		{"a.b.*", `'T.k' || i || '.*'`, "T.k77.created"},
		{"*.x.y", `'*.k' || i || '.T'`, "orders.k77.T"},
		{"hash.x", `'#.k' || i || 'T'`, "eu.orders.k77T"},
		{"log*.x", `'T*.k' || i`, "Togger.k77"},
		{"*.x.*", `'*.T' || i || '.*'`, "orders.T77.created"},
		{"mixed", `(ARRAY['T.k' || i, 'T.k' || i || '.*', '*.k' || i || '.T', '#.k' || i || 'T', 'T*.k' || i])[i % 5 + 1]`, "eu.k77.T"},
		{"longest key", `'T.k' || i || '.*'`, "T.k77." + strings.Repeat("x", 249-len(at))},
	} {
		b.Run(shape.name, func(b *testing.B) {
			check.BindMany(b, pool, strings.ReplaceAll(shape.pattern, "T", at), q.Name())
			check.Exec(b, pool, `VACUUM pgmq.topic_bindings`) // of the last shape's
			defer check.Exec(b, pool, `DELETE FROM pgmq.topic_bindings WHERE queue_name = $1`, q.Name())
			key := strings.ReplaceAll(shape.key, "T", at)
			for b.Loop() {
				if n := check.Value[int](b, pool, `SELECT pgmq.send_topic($1, '1')`, key); n != 1 {
					b.Fatalf("%d copies", n)
				}
			}
			topics := b.Elapsed()
			b.ResetTimer()
			b.StartTimer()
			for range b.N {
				check.Value[int64](b, pool, `SELECT pgmq.send($1, '1')`, q.Name())
			}
			plain := b.Elapsed()
			b.ReportMetric(float64(topics)/float64(plain), "sends/op")
			b.ReportMetric(float64(topics.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}
