package tests

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestZZDrain(t *testing.T) {
	for _, w := range []int{1, 16, 128} {
		q := pgtest.Queue[payload](t)
		const n = 100000
		for range n / 1000 {
			bs := make([]payload, 1000)
			for i := range bs {
				bs[i] = body
			}
			sendBatch(t, q, bs)
		}
		var got atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		done := make(chan error)
		go func() {
			done <- q.Consume(ctx, func(context.Context, *queue.Message[payload]) error {
				if got.Add(1) == n {
					cancel()
				}
				return nil
			}, queue.Workers(w))
		}()
		<-done
		d := time.Since(start)
		t.Log(w, "workers", int(n/d.Seconds()), "msg/s", length(t, q))
	}
}
