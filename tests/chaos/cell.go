package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/tests/history"
)

// cell is one kind of fault under load.
type cell struct {
	name  string
	about string
	// start starts the server.
	start func(context.Context, *arena) (*postgres.Server, error)
	// connect puts something between the workers and the server; nil for nothing.
	connect func(context.Context, *arena) error
	// inject injects faults until ctx is done, and leaves everything mended.
	inject func(context.Context, *arena) error
}

// cells are all of them, in the order of the table.
func cells() []*cell {
	all := processCells()
	all = append(all, serverCells()...)
	all = append(all, networkCells()...)
	all = append(all, failoverCells()...)
	return append(all, otherCells()...)
}

// own is a separate server with fsync on.
func own(ctx context.Context, _ *arena) (*postgres.Server, error) { return postgres.Local(ctx) }

// result is a row of the table.
type result struct {
	cell   *cell
	report history.Report
	history.Measures
	file string // the history
	err  error  // of the arena: then the rest says nothing
}

func (r result) failed() bool { return r.err != nil || len(r.report.Violations) > 0 }

// run runs a cell.
func (c *cell) run(ctx context.Context, seed uint64, d time.Duration, keep string, tell func(string)) result {
	r := result{cell: c, file: filepath.Join(keep, fmt.Sprintf("%s-%d.jsonl", strings.ReplaceAll(c.name, " ", "-"), seed))}
	if r.err = c.play(ctx, seed, d, r.file, tell); r.err != nil {
		return r
	}
	r.judge()
	return r
}

// judge checks the history of a result, and forgets it if all is well.
func (r *result) judge() {
	events, err := history.ReadFile(r.file)
	if err == nil {
		r.report, err = history.Check(events)
	}
	r.err = err
	r.Measures = history.Measure(events)
}

// play runs the cell, and leaves a history.
func (c *cell) play(ctx context.Context, seed uint64, d time.Duration, file string, tell func(string)) (err error) {
	a, err := newArena(c, seed, file)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := a.close(); err == nil {
			err = closeErr
		}
	}()
	if err := a.start(ctx); err != nil {
		return err
	}
	done, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	injected := make(chan error, 1)
	go func() { injected <- c.inject(done, a) }()
	if err := a.watch(injected, tell); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return a.drain(ctx)
}

// watch reports progress until the faults are over, and returns their error.
func (a *arena) watch(injected <-chan error, tell func(string)) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			lines, faults := a.progress()
			tell(fmt.Sprintf("%s: %d events, %d faults", a.cell.name, lines, faults))
		case err := <-injected:
			return err
		}
	}
}

// forget removes the history.
func (r result) forget() { _ = os.Remove(r.file) }
