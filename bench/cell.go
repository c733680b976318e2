package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// form is how large the cells are.
type form struct {
	full    bool
	rounds  int // unless another number is asked for
	seed    uint64
	verify  bool          // drain each piece to the end and check it, as tests do
	send    time.Duration // how long is sent in (a), (b), (f) and (g)
	backlog int           // messages to drain in (c)
	drain   time.Duration // how long is drained at most
	steady  time.Duration // how long the load is held in (d) and (h)
	rates   []float64     // messages a second in (d)
	held    [3]int        // seconds before, while, and after the horizon is held
	heldAt  []float64     // messages a second in (e)
	behind  []int         // messages that are there in (g)
	queues  int           // in (h)
	many    float64       // messages a second in (h)
	limit   time.Duration // for one piece
}

// fullForm is what the report's figures are from.
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
	limit:   40 * time.Minute, // ten million have to be sent first
}

// shortForm shows the same in a quarter of an hour.
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
	id, title string
	reference string // the system that ratios are to
	compared  metric // of which ratios are
	columns   []metric
	once      bool // measured in one round only, because it takes long
	variants  func(f form) []variant
}

// variant is one way to ask it.
type variant struct {
	name   string
	x      float64 // for charts
	queues int     // 0 for one
	size   int     // bytes of a message, 0 for 100
	run    func(ctx context.Context, p *piece) error
}

// cells are all that there are.
var cells = []*cell{sends, batches, drains, steady, horizon, payloads, backlogs, manyQueues}

// cellsOf returns the cells of a list of ids; all of them for "", none for "none".
func cellsOf(ids string) ([]*cell, error) {
	switch ids {
	case "":
		return cells, nil
	case "none":
		return nil, nil
	}
	var chosen []*cell
	for id := range strings.SplitSeq(ids, ",") {
		c := cellOf(id)
		if c == nil {
			return nil, fmt.Errorf("there is no cell %q; there are a to %s, and none", id, cells[len(cells)-1].id)
		}
		chosen = append(chosen, c)
	}
	return chosen, nil
}

func cellOf(id string) *cell {
	for _, c := range cells {
		if c.id == id {
			return c
		}
	}
	return nil
}
