package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// form is the size of the cells.
type form struct {
	full    bool
	rounds  int // the default of -rounds
	seed    uint64
	verify  bool          // drain each piece to the end and check it; for tests
	send    time.Duration // how long senders send, in sends, batches, large and backlog
	backlog int           // messages to drain, in drain
	drain   time.Duration // how long consumers drain at most
	steady  time.Duration // how long the load lasts, in steady and queues
	rates   []float64     // messages a second, in steady
	held    [3]int        // seconds before, during and after the transaction, in horizon
	heldAt  []float64     // messages a second, in horizon
	behind  []int         // messages in the queue at the start, in backlog
	queues  int           // in queues
	many    float64       // messages a second, in queues
	limit   time.Duration // for one piece
}

// fullForm takes hours. The tables under "In full size" of docs/performance.md are
// from it.
var fullForm = form{
	full:    true,
	rounds:  3,
	send:    5 * time.Second,
	backlog: 200_000,
	drain:   time.Minute,
	steady:  30 * time.Second,
	rates:   []float64{1000, 5000, 20_000},
	held:    [3]int{60, 120, 60},
	heldAt:  []float64{1000, 5000},
	behind:  []int{1_000_000, 10_000_000},
	queues:  1000,
	many:    1000,
	limit:   40 * time.Minute, // it sends ten million messages first
}

// shortForm asks the same questions in a quarter of an hour.
var shortForm = form{
	rounds:  2,
	send:    time.Second,
	backlog: 20_000,
	drain:   3 * time.Second,
	steady:  4 * time.Second,
	rates:   []float64{1000, 5000, 20_000},
	held:    [3]int{5, 10, 5},
	heldAt:  []float64{1000},
	behind:  []int{100_000},
	queues:  100,
	many:    1000,
	limit:   2 * time.Minute,
}

// cell is one question, asked of all systems in the same way.
type cell struct {
	id        string // a letter, for -cells and in tables
	name      string // a word, for the same
	title     string
	reference string // the system that ratios compare with
	compared  metric // the metric of the ratios
	columns   []metric
	once      bool // measured in one round only, because it takes long
	variants  func(f form) []variant
}

// label names the cell for readers.
func (c *cell) label() string { return "(" + c.id + ") " + c.name }

// variant is one way to ask a cell's question.
type variant struct {
	name   string
	x      float64 // for charts
	queues int     // 0 means 1
	size   int     // bytes of a message; 0 means 100
	run    func(ctx context.Context, p *piece) error
}

// cells are all cells, in the order of the report.
var cells = []*cell{sends, batches, drains, steady, horizon, payloads, backlogs, manyQueues}

// cellsOf returns the cells of a comma-separated list of letters and names. It
// returns all cells for "" and none for "none".
func cellsOf(list string) ([]*cell, error) {
	switch list {
	case "":
		return cells, nil
	case "none":
		return nil, nil
	}
	var chosen []*cell
	for key := range strings.SplitSeq(list, ",") {
		c := cellOf(key)
		if c == nil {
			return nil, fmt.Errorf("unknown cell %q: use %s, or none", key, cellKeys())
		}
		chosen = append(chosen, c)
	}
	return chosen, nil
}

// cellOf returns the cell with a letter or a name, or nil.
func cellOf(key string) *cell {
	for _, c := range cells {
		if c.id == key || c.name == key {
			return c
		}
	}
	return nil
}

// cellKeys lists the letters and the names of all cells.
func cellKeys() string {
	var keys []string
	for _, c := range cells {
		keys = append(keys, c.id+" ("+c.name+")")
	}
	return strings.Join(keys, ", ")
}
