package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/internal/worker"
)

// BenchmarkWake measures the time from a send to the handler of an idle
// consumer in another process. Run it with -benchtime 1000x.
func BenchmarkWake(b *testing.B) {
	for _, way := range []struct {
		what   string
		arrive worker.Arrival
	}{
		{"send", worker.BySend},
		{"pgmq.send", worker.BySQL},
		{"transaction", worker.ByTx},
		{"delayed", worker.ByDelay},
		{"given-back", worker.ByGivingBack},
	} {
		b.Run(way.what, func(b *testing.B) {
			all := worker.Latencies(b, b.N, way.arrive)
			for _, percent := range []int{50, 99} {
				b.ReportMetric(check.Percentile(all, percent).Seconds()*1000, fmt.Sprintf("p%d-ms", percent))
			}
			b.ReportMetric(0, "ns/op") // that of the test's own pauses
		})
	}
}

// BenchmarkSendWhileConsumersWait compares sending while nobody waits with
// sending while 200 consumers do: on 50 other queues, and on this one, whose
// messages are not due for an hour. Each round measures all three, and the case without
// consumers once again. It reports medians, also of the rounds' ratios. Run it with
// -benchtime 7x.
func BenchmarkSendWhileConsumersWait(b *testing.B) {
	const consumers, measured = 200, 1500 * time.Millisecond
	pool := check.NewPool(b, func(c *pgxpool.Config) { c.MaxConns = 64 })
	var others []string
	for range 50 {
		others = append(others, pgtest.Queue[worker.Task](b).Name())
	}
	for _, senders := range []int{1, 64} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			q := check.Open[check.Payload](b, pool, pgtest.Queue[check.Payload](b).Name())
			ours := []string{q.Name()}
			times := map[string][]time.Duration{} // of one message, by round
			for round := range b.N {
				for i := range 4 {
					switch (round + i) % 4 { // each is first in its turn
					case 0:
						times["none"] = append(times["none"], sendTime(b, q, senders, measured))
					case 1:
						stop := waiters(b, others, consumers)
						times["others"] = append(times["others"], sendTime(b, q, senders, measured))
						stop()
					case 2:
						stop := waiters(b, ours, consumers)
						times["this"] = append(times["this"], sendTime(b, q, senders, measured))
						stop()
					case 3: // the noise of the ratios on this machine
						times["again"] = append(times["again"], sendTime(b, q, senders, measured))
					}
				}
			}
			for _, mode := range []string{"others", "this", "again"} {
				var ratios []time.Duration // in nanoseconds for one
				for round, none := range times["none"] {
					ratios = append(ratios, time.Duration(float64(none)/float64(times[mode][round])*1e9))
				}
				b.ReportMetric(100*check.Percentile(ratios, 50).Seconds(), mode+"-%")
			}
			for _, mode := range []string{"none", "others", "this"} {
				b.ReportMetric(1/check.Percentile(times[mode], 50).Seconds(), mode+"-msg/s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// waiters has a process with that many idle consumers, until stop is called.
func waiters(b *testing.B, queues []string, consumers int) (stop func()) {
	p := worker.Start(b, worker.Spec{Queues: queues, Consumers: consumers / len(queues)})
	p.Idle(queues...)
	time.Sleep(2 * time.Second) // all of them
	return func() {
		p.Signal(syscall.SIGTERM)
		check.Equal(b, "the exit code", p.Exit(), 0)
	}
}

// sendTime returns how long one message takes when several goroutines send, to a
// queue that it empties first.
func sendTime(b *testing.B, q *queue.Queue[check.Payload], senders int, measured time.Duration) time.Duration {
	check.Exec(b, pgtest.Pool(), `SELECT pgmq.purge_queue($1)`, q.Name())
	var sent atomic.Int64
	var wg sync.WaitGroup
	for warm := range 2 {
		sent.Store(0)
		length := measured
		if warm == 0 {
			length /= 5
		}
		end := time.Now().Add(length)
		for range senders {
			wg.Go(func() {
				for time.Now().Before(end) {
					if _, err := q.Send(context.WithoutCancel(b.Context()), check.Body, queue.Delay(time.Hour)); err != nil {
						b.Error(err)
						return
					}
					sent.Add(1)
				}
			})
		}
		wg.Wait()
	}
	return measured / time.Duration(sent.Load())
}
