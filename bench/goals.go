package main

import (
	"fmt"
	"io"
	"math"
)

// goal is a figure to reach: at least, or at most.
type goal struct {
	cell    string
	text    string
	atMost  bool // otherwise at least
	figure  float64
	measure func(r *record) (float64, bool)
}

// goals are the figures that the project set itself at its beginning.
var goals = []goal{
	{
		"a", "64 goroutines, Send: times a bare INSERT", false, 8,
		times(quantity{"64", "ours", rate}, quantity{"64", "bare", rate}),
	},
	{
		"a", "64 goroutines, Send: times River's Insert", false, 25,
		times(quantity{"64", "ours", rate}, quantity{"64", "river", rate}),
	},
	{
		"a", "1 goroutine, Send: time of a call, times a bare INSERT", true, 1.1,
		times(quantity{"1", "bare", rate}, quantity{"1", "ours", rate}),
	},
	{
		"b", "batches of 1,000: times COPY into the same table", false, 0.7,
		times(quantity{"1000", "ours", rate}, quantity{"1000", "limit", rate}),
	},
	{
		"c", "drain by 16 workers: times River", false, 5,
		times(quantity{"16", "ours", rate}, quantity{"16", "river", rate}),
	},
	{
		"c", "drain by 16 workers: times River with its best number of workers", false, 5,
		func(r *record) (float64, bool) {
			ours, ok := r.median("16", "ours", rate)
			best, measured := r.median("best", "river", rate)
			return ours / best, ok && measured
		},
	},
	{
		"c", "drain by 16 workers: µs of server CPU a message", true, 12,
		func(r *record) (float64, bool) { return r.median("16", "ours", cpuPer) },
	},
	{
		"c", "drain by 16 workers: server CPU, times PGMQ's read(100) and delete(array) with their best number of workers", true, 12.0 / 37,
		func(r *record) (float64, bool) {
			ours, ok := r.median("16", "ours", cpuPer)
			pgmq, measured := r.median("best", "pgmq", cpuPer)
			return ours / pgmq, ok && measured
		},
	},
	{
		"d", "5,000/s: p50, ms", true, 5,
		func(r *record) (float64, bool) { return r.median("5,000/s", "ours", p50) },
	},
	{
		"d", "5,000/s: p99, ms", true, 25,
		func(r *record) (float64, bool) { return r.median("5,000/s", "ours", p99) },
	},
	{"e", "held horizon, at the heaviest load: throughput, times that before", false, 0.95, last(heldRate, rate)},
	{"e", "held horizon, at the heaviest load: p99, times that before", true, 2, last(heldP99, p99)},
	{
		"e", "held horizon, at the heaviest load: seconds to recover", true, 10,
		func(r *record) (float64, bool) {
			if x, ok := r.median(lastVariant(r), "ours", recovery); ok {
				return x, true
			}
			_, measured := r.median(lastVariant(r), "ours", afterRate)
			return math.Inf(1), measured
		},
	},
	{"g", "the largest backlog: sends, times those to an empty queue", false, 0.9, behind(sendRate)},
	{"g", "the largest backlog: reads, times those from an empty queue", false, 0.9, behind(readRate)},
}

// times returns one quantity of a cell as a multiple of another, round by round.
func times(a, b quantity) func(*record) (float64, bool) {
	return func(r *record) (float64, bool) { return r.ratio(a, b) }
}

// last returns one metric of ours as a multiple of another, in the heaviest variant.
func last(a, b metric) func(*record) (float64, bool) {
	return func(r *record) (float64, bool) {
		v := lastVariant(r)
		return r.ratio(quantity{v, "ours", a}, quantity{v, "ours", b})
	}
}

// behind returns a metric with the largest backlog as a multiple of that without one.
func behind(m metric) func(*record) (float64, bool) {
	return func(r *record) (float64, bool) {
		return r.ratio(quantity{lastVariant(r), "ours", m}, quantity{"0", "ours", m})
	}
}

func lastVariant(r *record) string {
	variants := r.variants()
	if len(variants) == 0 {
		return ""
	}
	return variants[len(variants)-1]
}

func (g goal) reached(x float64) bool {
	if g.atMost {
		return x <= g.figure
	}
	return x >= g.figure
}

func writeGoals(w io.Writer, records []*record) {
	fmt.Fprint(w, "### Goals\n\n")
	row(w, "cell", "figure", "goal", "measured", "")
	row(w, "---", "---", "---:", "---:", "---")
	for _, g := range goals {
		bound := "≥ "
		if g.atMost {
			bound = "≤ "
		}
		measured, verdict := "–", "not measured"
		for _, r := range records {
			if r.Cell != g.cell {
				continue
			}
			if x, ok := g.measure(r); ok {
				measured, verdict = figure(x), "not reached"
				if g.reached(x) {
					verdict = "reached"
				}
			}
		}
		row(w, cellOf(g.cell).label(), g.text, bound+figure(g.figure), measured, verdict)
	}
	fmt.Fprintln(w)
}
