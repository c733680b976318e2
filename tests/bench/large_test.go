package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// largeBody is text that is as dense as base64, of about size bytes as JSON.
func largeBody(size int) check.Payload {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	random := rand.New(rand.NewPCG(1, 0))
	text := make([]byte, size-20)
	for i := range text {
		text[i] = letters[random.IntN(len(letters))]
	}
	return check.Payload{ID: 4711, Text: string(text)}
}

// BenchmarkDrainLarge drains 128 MiB by one consumer, by two, and by four loops of
// Read and Delete, in turn.
func BenchmarkDrainLarge(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			backlog := min(20_000, 128<<20/size)
			pool := check.NewPool(b, func(c *pgxpool.Config) { c.MaxConns = 16 })
			body := largeBody(size)
			consumers := func(n int) func(*queue.Queue[check.Payload]) {
				return func(q *queue.Queue[check.Payload]) {
					ctx, stop := context.WithCancel(b.Context())
					defer stop()
					var done atomic.Int64
					var all sync.WaitGroup
					for range n {
						all.Go(func() {
							if err := q.Consume(ctx, func(context.Context, *queue.Message[check.Payload]) error {
								if done.Add(1) == int64(backlog) {
									stop()
								}
								return nil
							}, queue.Workers(16)); err != nil {
								b.Error(err)
							}
						})
					}
					all.Wait()
				}
			}
			ways := map[string]func(*queue.Queue[check.Payload]){
				"consumer":  consumers(1),
				"consumers": consumers(2),
				"loops": func(q *queue.Queue[check.Payload]) {
					var all sync.WaitGroup
					for range 4 {
						all.Go(func() {
							for {
								msgs, err := q.Read(b.Context(), 100)
								if err == nil {
									err = q.Delete(b.Context(), msgs...)
								}
								if err != nil {
									b.Error(err)
								}
								if len(msgs) == 0 {
									return
								}
							}
						})
					}
					all.Wait()
				},
			}
			took := map[string][]time.Duration{}
			for b.Loop() {
				for _, way := range []string{"consumer", "consumers", "loops"} {
					q := check.Open[check.Payload](b, pool, pgtest.Queue[check.Payload](b).Name())
					for n := backlog; n > 0; n -= 100 {
						bodies := make([]check.Payload, min(n, 100))
						for i := range bodies {
							bodies[i] = body
						}
						if _, err := q.SendBatch(b.Context(), bodies); err != nil {
							b.Fatal(err)
						}
					}
					check.Exec(b, pool, `CHECKPOINT`)
					start := time.Now()
					ways[way](q)
					took[way] = append(took[way], time.Since(start)/time.Duration(backlog))
					check.Exec(b, pool, check.Tables(q.Name(), `TRUNCATE {Q}`))
				}
			}
			for way, times := range took {
				b.ReportMetric(1/check.Percentile(times, 50).Seconds(), way+"/s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
