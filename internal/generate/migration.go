package generate

import (
	"fmt"
	"slices"
	"strings"
)

// Migration returns the text of a goose file that makes the changes, and undoes
// them when it goes down. Steps up that may lose messages are commented out, below
// an explanation. by names the writer for the first line.
func Migration(by string, changes []Change) string {
	var b strings.Builder
	write := func(blocks ...string) {
		for _, block := range blocks {
			fmt.Fprintln(&b, block)
		}
	}
	write("-- Written by " + by + ":")
	for _, c := range changes {
		write("--   " + c.String())
	}
	write("-- The queues after this migration, for the next pgmq generate:")
	for _, c := range changes {
		write(markerOf(c))
	}

	write("", "-- +goose Up", migrated)
	for _, c := range changes {
		s := c.steps()
		if len(s.safe) > 0 {
			write("")
			write(s.safe...)
		}
		if s.why != "" {
			write("", comment(c.String()+"\n"+s.why), comment(s.wanted(c)))
		}
	}

	write("", "-- +goose Down")
	var gone []string
	for _, c := range changes {
		if back := c.back(); back.steps().drop && !c.replaces() {
			gone = append(gone, back.From.Name)
		}
	}
	if len(gone) > 0 {
		write(drop(gone))
	}
	for _, c := range slices.Backward(changes) {
		s := c.back().steps()
		if c.replaces() {
			write("", comment(c.back().String()+"\nIf the change was put in above:"), comment(s.wanted(c.back())))
			continue
		}
		write(s.risky...)
		write(s.safe...)
	}
	return b.String()
}

// wanted returns the SQL of the risky steps.
func (s steps) wanted(c Change) string {
	sql := s.risky
	if s.drop {
		sql = append([]string{drop([]string{c.From.Name})}, sql...)
	}
	return strings.Join(sql, "\n")
}

func comment(text string) string {
	return "-- " + strings.ReplaceAll(text, "\n", "\n-- ")
}
