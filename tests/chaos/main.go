// Command chaos puts queues under load from several processes, and breaks the server, the
// network or the processes, in one cell after the other. It checks by the histories of all
// clients that every promise was kept. It needs Postgres' server binaries and PgBouncer,
// and for the full disk the right to mount:
//
//	go -C tests run ./chaos -seed 7 -duration 30s
//	go -C tests run ./chaos -cells kill,cut
//	go -C tests run ./chaos -without clock
//	go -C tests run ./chaos -check FILE
//
// The seed decides the messages, the work, the faults and their times; the machine decides
// how the processes interleave. It exits with 1 if a promise was
// broken, and keeps the history that shows it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pgmq-go/pgmq/tests/history"
)

// options are the flags of the command.
type options struct {
	seed     uint64
	duration time.Duration
	cells    string
	without  string
	keep     string
	report   string
	json     bool
}

func main() {
	workerMain()
	var o options
	flag.Uint64Var(&o.seed, "seed", 1, "decides what happens, and when")
	flag.DurationVar(&o.duration, "duration", 30*time.Second, "of the faults of one cell")
	flag.StringVar(&o.cells, "cells", "", "some cells, by name, with commas in between (default all)")
	flag.StringVar(&o.without, "without", "", "cells to leave out, likewise")
	flag.StringVar(&o.keep, "keep", filepath.Join(os.TempDir(), "pgmq-chaos"), "directory for the histories of failed cells")
	flag.StringVar(&o.report, "report", "", "a Markdown file whose table is to be replaced")
	flag.BoolVar(&o.json, "json", false, "print the table as JSON lines")
	check := flag.String("check", "", "check a history, and do nothing else")
	list := flag.Bool("list", false, "list the cells, and do nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *list:
		for _, c := range cells() {
			fmt.Printf("%-18s %s\n", c.name, c.about)
		}
	case *check != "":
		err = recheck(*check)
	default:
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1) //nolint:gocritic // stop would change nothing
	}
}

var errBroken = errors.New("a promise was broken")

// recheck judges a history that was kept.
func recheck(file string) error {
	r := result{cell: &cell{name: filepath.Base(file)}, file: file}
	r.judge()
	if r.err != nil {
		return r.err
	}
	for _, v := range r.report.Violations {
		fmt.Println(v)
	}
	fmt.Printf("%d operations, %d violations\n", r.Operations, len(r.report.Violations))
	for _, rule := range history.Rules {
		fmt.Printf("  judged %7d times: %s\n", r.report.Judged[rule], rule)
	}
	if r.failed() {
		return errBroken
	}
	return nil
}

func run(ctx context.Context, o options) error {
	chosen, err := choose(o.cells, o.without)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.keep, 0o755); err != nil {
		return err
	}
	began := time.Now()
	tell := func(line string) { fmt.Fprintf(os.Stderr, "%5.0fs  %s\n", time.Since(began).Seconds(), line) }
	var results []result
	for _, c := range chosen {
		tell(c.name + ": " + c.about)
		r := c.run(ctx, o.seed, o.duration, o.keep, tell)
		if err := ctx.Err(); err != nil {
			return err
		}
		results = append(results, r)
		o.explain(r)
	}
	if o.json {
		err = printJSON(results)
	} else {
		fmt.Print(table(results))
	}
	if o.report != "" {
		err = errors.Join(err, o.writeReport(ctx, results))
	}
	if slices.ContainsFunc(results, result.failed) {
		err = errors.Join(err, errBroken)
	}
	return err
}

// choose finds cells by their names, and leaves some out.
func choose(names, without string) ([]*cell, error) {
	chosen := cells()
	if names != "" {
		var err error
		if chosen, err = named(names); err != nil {
			return nil, err
		}
	}
	out, err := named(without)
	return slices.DeleteFunc(chosen, func(c *cell) bool {
		return slices.ContainsFunc(out, func(other *cell) bool { return other.name == c.name })
	}), err
}

// named finds cells; "" is none.
func named(names string) (found []*cell, err error) {
	all := cells()
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(c *cell) bool { return c.name == name })
		switch {
		case i >= 0:
			found = append(found, all[i])
		case name != "":
			err = fmt.Errorf("there is no cell %q: -list tells which there are", name)
		}
	}
	return found, err
}

// explain names the fault of a cell, and the way to look at it.
func (o options) explain(r result) {
	if !r.failed() {
		r.forget()
		return
	}
	const most = 10
	for i, v := range r.report.Violations {
		if i == most {
			fmt.Fprintf(os.Stderr, "… and %d more\n", len(r.report.Violations)-most)
			break
		}
		fmt.Fprintln(os.Stderr, v)
	}
	if r.err != nil {
		fmt.Fprintf(os.Stderr, "the cell did not work: %v\n", r.err)
	}
	fmt.Fprintf(os.Stderr, "its history:  %s\ncheck it:     go -C tests run ./chaos -check %s\nrun it again: go -C tests run ./chaos -seed %d -duration %v -cells %q\n",
		r.file, r.file, o.seed, o.duration, r.cell.name)
}

func printJSON(results []result) error {
	out := json.NewEncoder(os.Stdout)
	for _, r := range results {
		row := map[string]any{
			"cell": r.cell.name, "operations": r.Operations, "messages": r.Messages, "faults": r.Faults,
			"violations": len(r.report.Violations), "stall_ms": r.Stall.Milliseconds(), "recovery_ms": r.Recovery.Milliseconds(),
			"at_risk": r.report.AtRisk, "lost": r.report.Lost,
		}
		if r.err != nil {
			row["error"] = r.err.Error()
		}
		if err := out.Encode(row); err != nil {
			return err
		}
	}
	return nil
}
