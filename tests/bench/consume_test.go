package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// BenchmarkConsume drains a queue by a handler that does nothing.
func BenchmarkConsume(b *testing.B) {
	const backlog = 50_000
	for _, workers := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			q := pgtest.Queue[check.Payload](b)
			for b.Loop() {
				b.StopTimer()
				fill(b, q, backlog)
				ctx, stop := context.WithCancel(b.Context())
				var done atomic.Int64
				b.StartTimer()
				err := q.Consume(ctx, func(context.Context, *queue.Message[check.Payload]) error {
					if done.Add(1) == backlog {
						stop()
					}
					return nil
				}, queue.Workers(workers))
				if err != nil {
					b.Fatal(err)
				}
			}
			perMessage(b, backlog)
		})
	}
}
