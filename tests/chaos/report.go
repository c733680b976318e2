package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// columns of the table.
var columns = []string{"cell", "operations", "faults", "violations", "longest stall", "time to recover", ""}

func (r result) row() []string {
	if r.err != nil {
		return []string{r.cell.name, "", "", "did not work", "", "", ""}
	}
	return []string{
		r.cell.name, fmt.Sprint(r.Operations), fmt.Sprint(r.Faults), fmt.Sprint(len(r.report.Violations)),
		short(r.Stall), short(r.Recovery), r.notes(),
	}
}

// notes list the losses of cells that may lose something.
func (r result) notes() string {
	if r.report.LossTime == 0 {
		return ""
	}
	return fmt.Sprintf("lost %d of the %d messages that were acknowledged in up to %v before the standby was promoted",
		r.report.Lost, r.report.AtRisk, short(r.report.LossTime))
}

func short(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }

// table is for a terminal.
func table(results []result) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, r := range results {
		fmt.Fprintln(w, strings.Join(r.row(), "\t"))
	}
	_ = w.Flush() // to memory
	return b.String()
}

// The part of its file that the report replaces.
const (
	reportBegin = "<!-- written by go -C tests run ./chaos -report -->\n"
	reportEnd   = "<!-- end -->\n"
)

// writeReport puts the table into a file, between its marks.
func (o options) writeReport(ctx context.Context, results []result) error {
	text, err := os.ReadFile(o.report)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), reportBegin)
	_, after, ended := strings.Cut(rest, reportEnd)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the table: put these two lines there: %s%s", o.report, reportBegin, reportEnd)
	}
	section, err := o.section(ctx, results)
	if err != nil {
		return err
	}
	return os.WriteFile(o.report, []byte(before+reportBegin+section+reportEnd+after), 0o644)
}

// section is the table in Markdown, with the parameters to reproduce it.
func (o options) section(ctx context.Context, results []result) (string, error) {
	commit, err := output(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12")
	s, startErr := postgres.Local(ctx)
	if err := errors.Join(err, startErr); err != nil {
		return "", err
	}
	origin, _, _ := strings.Cut(s.Origin, ",")
	if err := s.Stop(); err != nil {
		return "", err
	}
	command := fmt.Sprintf("go -C tests run ./chaos -seed %d -duration %v", o.seed, o.duration)
	for flag, cells := range map[string]string{"-cells": o.cells, "-without": o.without} {
		if cells != "" {
			command += fmt.Sprintf(" %s %q", flag, cells)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`, commit %s, %s, %s, %d CPUs:\n\n", command, commit, time.Now().UTC().Format(time.DateOnly), cmp.Or(origin, "Postgres"), runtime.NumCPU())
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, r := range results {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r.row(), " | "))
	}
	return b.String(), nil
}
