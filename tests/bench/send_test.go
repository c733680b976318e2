package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// BenchmarkSendFrom has goroutines send one message a call, beside a bare pgx
// INSERT into the same kind of table, in turn. A round takes two seconds of each.
func BenchmarkSendFrom(b *testing.B) {
	for _, goroutines := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			pool := check.NewPool(b, func(c *pgxpool.Config) { c.MaxConns = 64 })
			q := pgtest.Queue[check.Payload](b)
			pooled := check.Open[check.Payload](b, pool, q.Name())
			insert := check.Tables(pgtest.Queue[check.Payload](b).Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), $1) RETURNING msg_id`)
			ways := map[string]func(context.Context) error{
				"bare": func(ctx context.Context) error {
					var id int64
					return pool.QueryRow(ctx, insert, check.Body).Scan(&id)
				},
				"send": func(ctx context.Context) error {
					_, err := pooled.Send(ctx, check.Body, queue.Headers(nil))
					return err
				},
			}
			rates := map[string][]time.Duration{} // of one message
			for b.Loop() {
				for _, way := range []string{"bare", "send"} {
					rates[way] = append(rates[way], perCall(b, goroutines, ways[way]))
				}
			}
			bare, send := check.Percentile(rates["bare"], 50), check.Percentile(rates["send"], 50)
			b.ReportMetric(1/bare.Seconds(), "bare/s")
			b.ReportMetric(1/send.Seconds(), "send/s")
			b.ReportMetric(bare.Seconds()/send.Seconds(), "times-bare")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// perCall is the time that one call takes of all, when goroutines make them for
// two seconds.
func perCall(b *testing.B, goroutines int, call func(context.Context) error) time.Duration {
	b.Helper()
	var calls atomic.Int64
	var all sync.WaitGroup
	const length = 2 * time.Second
	end := time.Now().Add(length)
	for range goroutines {
		all.Go(func() {
			for time.Now().Before(end) {
				if err := call(b.Context()); err != nil {
					b.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	all.Wait()
	return length / time.Duration(max(calls.Load(), 1))
}
