package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// timeline records when messages came, and how late they were, by second.
type timeline struct {
	start   time.Time
	seconds []*hdrhistogram.Histogram // of microseconds
}

// longest is the longest latency that is recorded; longer ones count as that.
const longest = 10 * time.Minute

func (t *timeline) add(at time.Time, latency time.Duration) {
	second := int(at.Sub(t.start) / time.Second)
	for len(t.seconds) <= second {
		t.seconds = append(t.seconds, hdrhistogram.New(1, longest.Microseconds(), 3))
	}
	_ = t.seconds[second].RecordValue(min(max(latency, time.Microsecond), longest).Microseconds())
}

// between returns the latencies of messages that came in seconds from to to-1.
func (t *timeline) between(from, to int) *hdrhistogram.Histogram {
	sum := hdrhistogram.New(1, longest.Microseconds(), 3)
	for second := from; second < min(to, len(t.seconds)); second++ {
		sum.Merge(t.seconds[second])
	}
	return sum
}

// milliseconds returns a percentile of a histogram of microseconds.
func milliseconds(h *hdrhistogram.Histogram, percent float64) float64 {
	return float64(h.ValueAtPercentile(percent)) / 1000
}
