package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/doctor"
)

var levelStyles = map[doctor.Level]lipgloss.Style{
	doctor.OK:        lipgloss.NewStyle().Foreground(lipgloss.Green),
	doctor.Notice:    lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	doctor.Unchecked: lipgloss.NewStyle().Foreground(lipgloss.Magenta),
	doctor.Warning:   lipgloss.NewStyle().Foreground(lipgloss.Yellow).Bold(true),
	doctor.Problem:   lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
}

// alike is how many findings of a check and a level are written out.
const alike = 10

// reportFindings writes findings for people: the good ones first, so that the bad
// ones stay on the screen.
func reportFindings(cmd *cobra.Command, found []doctor.Finding) error {
	var r findingsReport
	r.width, _ = screenSize()
	for _, level := range doctor.Levels() {
		var checks []string
		of := map[string][]doctor.Finding{}
		for _, f := range found {
			if f.Level != level {
				continue
			}
			if of[f.Check] == nil {
				checks = append(checks, f.Check)
			}
			of[f.Check] = append(of[f.Check], f)
		}
		for _, check := range checks {
			r.add(of[check])
		}
	}
	_, err := io.WriteString(cmd.OutOrStdout(), styled(r.text.String()))
	return err
}

type findingsReport struct {
	text  strings.Builder
	width int // 0 for lines of any length, when it is no terminal
}

// add adds the findings of one check on one level.
func (r *findingsReport) add(found []doctor.Finding) {
	for _, f := range found[:min(alike, len(found))] {
		about := f.Check + ": "
		if f.Queue != "" {
			about += fmt.Sprintf("queue %q: ", f.Queue)
		}
		r.line(f.Level, about+f.What)
		if f.Do != "" {
			r.line("", "do: "+f.Do)
		}
	}
	if more := len(found) - alike; more > 0 {
		r.line(found[0].Level, fmt.Sprintf("%s: and %d more, which --json lists", found[0].Check, more))
	}
}

// line adds text behind a level, indented like that if it has to be wrapped.
func (r *findingsReport) line(level doctor.Level, text string) {
	const margin = len(doctor.Unchecked) + len("  ")
	text = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text)
	if r.width > 0 {
		text = lipgloss.Wrap(text, max(r.width-margin, 20), " ")
	}
	head := levelStyles[level].Render(string(level)) + strings.Repeat(" ", margin-len(level))
	for line := range strings.Lines(text) {
		r.text.WriteString(head + strings.TrimSpace(line) + "\n")
		head = strings.Repeat(" ", margin)
	}
}
