package main

import (
	"fmt"
	"io"
	"math"
)

// goal is a figure to reach: what is measured must be at least, or at most, that.
type goal struct {
	cell    string
	text    string
	atMost  bool // else at least
	figure  float64
	measure func(r *record) (float64, bool)
}

// goals are the figures that this project set itself before it was built.
var goals = []goal{
	{
		"a", "64 goroutines, Send: times a bare INSERT per call", false, 8,
		times(quantity{"64", "ours", rate}, quantity{"64", "bare", rate}),
	},
	{
		"a", "64 goroutines, Send: times River's Insert", false, 25,
		times(quantity{"64", "ours", rate}, quantity{"64", "river", rate}),
	},
	{
		"a", "1 goroutine, Send: the time of a bare INSERT", true, 1.1,
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
		"c", "drain by 16 workers: times River with the workers it works best with", false, 5,
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
		"c", "drain by 16 workers: server CPU, of that of PGMQ's read(100) and delete(array) at its best", true, 12.0 / 37,
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
	{"e", "held horizon, at the heaviest load: throughput, of that of the clean minute", false, 0.95, last(heldRate, rate)},
	{"e", "held horizon, at the heaviest load: p99, times that of the clean minute", true, 2, last(heldP99, p99)},
	{
		"e", "held horizon, at the heaviest load: seconds until it is as before", true, 10,
		func(r *record) (float64, bool) {
			if x, ok := r.median(lastVariant(r), "ours", recovery); ok {
				return x, true
			}
			_, measured := r.median(lastVariant(r), "ours", afterRate)
			return math.Inf(1), measured
		},
	},
	{"g", "the largest backlog: send, of that on an empty queue", false, 0.9, behind(sendRate)},
	{"g", "the largest backlog: read, of that on an empty queue", false, 0.9, behind(readRate)},
}

// times is one quantity of a cell as a multiple of another, round by round.
func times(a, b quantity) func(*record) (float64, bool) {
	return func(r *record) (float64, bool) { return r.ratio(a, b) }
}

// last is one metric as a multiple of another, of ours, in the cell's heaviest variant.
func last(a, b metric) func(*record) (float64, bool) {
	return func(r *record) (float64, bool) {
		v := lastVariant(r)
		return r.ratio(quantity{v, "ours", a}, quantity{v, "ours", b})
	}
}

// behind is a metric with the largest backlog as a multiple of that without one.
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
	fmt.Fprint(w, "### The figures to reach\n\n")
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
		row(w, "("+g.cell+")", g.text, bound+figure(g.figure), measured, verdict)
	}
	fmt.Fprintln(w)
}
