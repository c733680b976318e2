package main

import (
	"slices"
	"time"
)

// metric names a quantity that is measured. It is a column of the tables.
type metric string

// The metrics. Rates are messages a second. Latencies are milliseconds, from when a
// message was due to be sent until its handler began.
const (
	rate       metric = "msg/s"
	sendRate   metric = "send/s"
	readRate   metric = "read/s"
	bothSend   metric = "send/s, both at once"
	bothRead   metric = "read/s, both at once"
	p50        metric = "p50 ms"
	p95        metric = "p95 ms"
	p99        metric = "p99 ms"
	slowest    metric = "max ms"
	heldRate   metric = "msg/s, held"
	heldP50    metric = "p50 ms, held"
	heldP99    metric = "p99 ms, held"
	afterRate  metric = "msg/s, after"
	afterP99   metric = "p99 ms, after"
	recovery   metric = "s to recover"
	dead       metric = "most dead rows"
	size       metric = "MB at the end"
	cpuPer     metric = "server CPU µs/msg"
	walPer     metric = "WAL B/msg"
	commitsPer metric = "commits/msg"
)

// values are the measured values by metric.
type values map[metric]float64

// result is one system in one variant of a cell in one round.
type result struct {
	Variant string   `json:"variant"`
	X       float64  `json:"x"` // of the variant, for charts
	Round   int      `json:"round"`
	System  string   `json:"system"`
	Values  values   `json:"values,omitempty"`
	Seconds []second `json:"seconds,omitempty"`
	Failure string   `json:"failure,omitempty"`
}

// second is one second of a cell that is measured over time.
type second struct {
	Rate float64 `json:"rate"`
	P99  float64 `json:"p99"`  // milliseconds
	Dead float64 `json:"dead"` // rows
	Size float64 `json:"size"` // bytes
}

// record is everything about one cell in one run. The store keeps it as JSON next to
// the report, so that cells can be measured one at a time.
type record struct {
	Cell       string            `json:"cell"`
	Conditions []string          `json:"conditions"`
	Started    time.Time         `json:"started"`
	Full       bool              `json:"full"`
	Held       [2]int            `json:"held"`    // from and to which second the transaction was open
	Seconds    int               `json:"seconds"` // of that cell in all
	LeftOut    map[string]string `json:"left_out,omitempty"`
	Results    []result          `json:"results"`
}

// variants returns the names of the variants, in the order of measuring.
func (r *record) variants() []string {
	var names []string
	for _, one := range r.Results {
		if !slices.Contains(names, one.Variant) {
			names = append(names, one.Variant)
		}
	}
	return names
}

// of returns a metric of a system in a variant, by round. It leaves out rounds that
// failed or did not measure it.
func (r *record) of(variant, system string, m metric) map[int]float64 {
	found := map[int]float64{}
	for _, one := range r.Results {
		if value, ok := one.Values[m]; ok && one.Variant == variant && one.System == system && one.Failure == "" {
			found[one.Round] = value
		}
	}
	return found
}

// median returns the median over the rounds.
func (r *record) median(variant, system string, m metric) (float64, bool) {
	var all []float64
	for _, value := range r.of(variant, system, m) {
		all = append(all, value)
	}
	return median(all)
}

// quantity is a metric of a system in a variant.
type quantity struct {
	variant, system string
	metric          metric
}

// ratio returns the median of a/b over the rounds. Taken within one round, a ratio
// does not depend on how busy a shared machine was.
func (r *record) ratio(a, b quantity) (float64, bool) {
	below := r.of(b.variant, b.system, b.metric)
	var all []float64
	for round, value := range r.of(a.variant, a.system, a.metric) {
		if other, ok := below[round]; ok && other != 0 {
			all = append(all, value/other)
		}
	}
	return median(all)
}

// median returns the middle value, or the mean of the two in the middle. It reports
// whether there is any.
func median(all []float64) (float64, bool) {
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	middle := len(all) / 2
	if len(all)%2 == 1 {
		return all[middle], true
	}
	return (all[middle-1] + all[middle]) / 2, true
}
