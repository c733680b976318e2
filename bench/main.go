// Command bench compares this project's queue with others on one durable Postgres.
// Each round measures all systems, each on fresh queues. The command writes tables,
// charts and raw results to a directory, and the report to standard output.
//
//	make bench                                     # all cells in short form
//	make bench ARGS='-rounds 3 -out build/bench'   # as in docs/performance.md
//	make bench ARGS='-full -cells sends,drain'     # two cells in full size
//	make bench ARGS='-cells none -out DIR'         # only report DIR's results again
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var (
		list   = flags.String("cells", "", "cells to measure, by letter or name, separated by commas: "+cellKeys()+"; none only writes the report again (default all)")
		names  = flags.String("systems", "", "systems to compare, separated by commas: "+strings.Join(systemNames(), ", ")+" (default all)")
		rounds = flags.Int("rounds", 0, "rounds; cells that take long have one (default 3 with -full, else 2)")
		full   = flags.Bool("full", false, "measure in full size, which takes hours")
		out    = flags.String("out", "build/bench", "directory for results, tables and charts")
		seed   = flags.Uint64("seed", 1, "seed of the random text in the messages")
		conns  = flags.Int("conns", 64, "connections of each of a system's two pools, one to send and one to consume")
		dsn    = flags.String("database-url", "", "URL of the server to measure on, with a superuser's role (default $"+urlVar+", or a server that the bench starts)")
	)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	p := &plan{form: shortForm, progress: &progress{}}
	if *full {
		p.form = fullForm
	}
	p.rounds = cmp.Or(*rounds, p.form.rounds)
	p.form.seed = *seed
	if p.cells, err = cellsOf(*list); err != nil {
		return err
	}
	if p.systems, err = systemsOf(*names); err != nil {
		return err
	}
	to := store(*out)
	if len(p.cells) == 0 {
		return to.show(os.Stdout)
	}
	if p.server, err = startServer(ctx, *dsn, *conns, false); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.server.stop()) }()
	conditions, err := p.conditions(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, strings.Join(conditions, "\n"))
	return errors.Join(p.run(ctx, conditions, to.keep), to.show(os.Stdout))
}

// show writes the charts and the report anew, and prints the report to w.
func (s store) show(w io.Writer) error {
	if err := s.draw(); err != nil {
		return err
	}
	text, err := os.ReadFile(s.file("report.md"))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "results, report.md and charts are in %s\n", s)
	_, err = w.Write(text)
	return err
}

// conditions returns the conditions that a reader must know to judge the figures.
func (p *plan) conditions(ctx context.Context) ([]string, error) {
	lines, err := p.server.describe(ctx)
	if err != nil {
		return nil, err
	}
	lines = append(lines,
		fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH),
		fmt.Sprintf("%d round(s), %d connections to send and as many to consume, seed %d", p.rounds, p.server.conns, p.form.seed),
		"commit "+commit(ctx),
		"load average of the machine at the start: "+loadAverage(),
	)
	for _, s := range p.systems {
		lines = append(lines, fmt.Sprintf("%s: %s; at best with %d worker(s)", s.name, s.about, s.workers))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			switch module.Path {
			case "github.com/riverqueue/river", "github.com/vgarvardt/gue/v5", "github.com/jackc/pgx/v5":
				lines = append(lines, module.Path+" "+module.Version)
			}
		}
	}
	return lines, nil
}

// loadAverage returns the load of the last minute, which shows whether other
// programs used the machine.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// commit returns the commit of the working directory, and whether files are changed.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
