package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/queue"
)

// result has the figures of a bench. Rates are those of the time in which the
// producers sent.
type result struct {
	load
	Queue       string  `json:"queue_name"`
	Seconds     float64 `json:"duration_sec"`
	Version     string  `json:"server_version"`
	Synchronous string  `json:"synchronous_commit"`
	Fsync       string  `json:"fsync"`
	PingP50     float64 `json:"ping_p50_ms"`
	PingP99     float64 `json:"ping_p99_ms"`
	Messages    int64   `json:"messages"` // sent, and settled
	Sent        float64 `json:"sent_per_sec"`
	Settled     float64 `json:"settled_per_sec"`
	LatencyP50  float64 `json:"latency_p50_ms"`
	LatencyP99  float64 `json:"latency_p99_ms"`
	Commits     float64 `json:"commits_per_sec"` // of all that write on the server

	mu            sync.Mutex
	sent, settled int64
	latency       *hdrhistogram.Histogram // in microseconds
	started       time.Time
}

func newResult(l load, name string) *result {
	return &result{load: l, Queue: name, latency: microseconds()}
}

// microseconds returns a histogram up to an hour, to three digits.
func microseconds() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Hour.Microseconds(), 3)
}

func recordIn(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), time.Hour.Microseconds()))
}

func milliseconds(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtPercentile(percentile)) / 1000
}

// measureBase reads the settings that affect the wait of a commit, and measures a
// statement that does nothing.
func (r *result) measureBase(ctx context.Context, pool *pgxpool.Pool) error {
	server, err := inspect.ServerOf(ctx, pool)
	if err != nil {
		return err
	}
	r.Version, r.Synchronous, r.Fsync = server.Version, server.SynchronousCommit, server.Fsync
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	ping := microseconds()
	for end := time.Now().Add(time.Second); ping.TotalCount() < 1000 && time.Now().Before(end); {
		began := time.Now()
		if err := conn.Ping(ctx); err != nil {
			return err
		}
		recordIn(ping, time.Since(began))
	}
	r.PingP50, r.PingP99 = milliseconds(ping, 50), milliseconds(ping, 99)
	return nil
}

func (r *result) observe(e queue.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Kind {
	case queue.EventSent:
		r.sent += int64(e.Count)
	case queue.EventSettled:
		r.settled++
	case queue.EventDelivered:
		if e.Reads == 1 {
			recordIn(r.latency, e.Wait)
		}
	}
}

func (r *result) start() { r.started = time.Now() }

// stop computes the rates at the end of sending.
func (r *result) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Seconds = time.Since(r.started).Seconds()
	r.Sent, r.Settled = float64(r.sent)/r.Seconds, float64(r.settled)/r.Seconds
}

// finish computes the figures that need all messages settled.
func (r *result) finish(commits int64) {
	r.Messages = r.settled
	r.Commits = float64(commits) / time.Since(r.started).Seconds()
	r.LatencyP50, r.LatencyP99 = milliseconds(r.latency, 50), milliseconds(r.latency, 99)
}

func (r *result) settledSoFar() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settled
}

func (r *result) left() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent - r.settled
}

// sheet lays the result out for people.
func (r *result) sheet() sheet {
	var s sheet
	s.add("server", "PostgreSQL %s, synchronous_commit %s, fsync %s", r.Version, r.Synchronous, r.Fsync)
	if r.Synchronous == "off" || r.Fsync == "off" {
		s.add("", "a commit does not wait for the disk: a crash may lose messages")
	}
	s.add("round trip", "p50 %s, p99 %s, of a statement that does nothing", threeDigits(r.PingP50), threeDigits(r.PingP99))
	how := "with Send"
	if r.Batch > 1 {
		how = fmt.Sprintf("in batches of %s", number(int64(r.Batch)))
	}
	s.add("load", "%s %s, %s, %s each, for %v", count(int64(r.Producers), "producer"), how, count(int64(r.Consumers), "consumer"), count(int64(r.Size), "byte"), r.Duration)
	s.add("sent", "%s a second", number(int64(r.Sent)))
	s.add("settled", "%s a second", number(int64(r.Settled)))
	s.add("latency", "p50 %s, p99 %s, from the send to the handler", threeDigits(r.LatencyP50), threeDigits(r.LatencyP99))
	s.add("commits", "%s a second, of all that write on the server", number(int64(r.Commits)))
	s.add("messages", "%s, each of them settled", number(r.Messages))
	return s
}

// threeDigits writes milliseconds as a duration.
func threeDigits(ms float64) string {
	d, unit := time.Duration(ms*float64(time.Millisecond)), time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
