package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// BenchmarkLink measures consuming, and sending from 64 goroutines at once, over
// links of different length. Run it with -benchtime 20000x.
func BenchmarkLink(b *testing.B) {
	for _, rtt := range []time.Duration{0, 500 * time.Microsecond, 2 * time.Millisecond, 10 * time.Millisecond} {
		over := func(b *testing.B) (near, far *queue.Queue[check.Payload]) {
			near = pgtest.Queue[check.Payload](b)
			pool, proxy := check.Proxied(b, func(c *pgxpool.Config) { c.MaxConns = 8 })
			proxy.Delay(rtt / 2)
			return near, check.Open[check.Payload](b, pool, near.Name())
		}
		b.Run("consume/"+rtt.String(), func(b *testing.B) {
			near, far := over(b)
			bodies := make([]check.Payload, 1000)
			for n := 0; n < b.N; n += len(bodies) {
				check.SendBatch(b, near, bodies[:min(len(bodies), b.N-n)])
			}
			var done atomic.Int64
			ctx, stop := context.WithCancel(b.Context())
			defer stop()
			b.ResetTimer()
			check.OK(b, far.Consume(ctx, func(context.Context, *queue.Message[check.Payload]) error {
				if done.Add(1) == int64(b.N) {
					stop()
				}
				return nil
			}, queue.Workers(64)))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
		b.Run("send/"+rtt.String(), func(b *testing.B) {
			_, far := over(b)
			var left atomic.Int64
			left.Store(int64(b.N))
			var senders sync.WaitGroup
			b.ResetTimer()
			for range 64 {
				senders.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := far.Send(b.Context(), check.Body); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			senders.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
