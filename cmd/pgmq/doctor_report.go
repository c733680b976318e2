package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pgmq-go/pgmq/internal/doctor"
)

// doctorReport writes findings for people: the good ones first, so that the bad ones
// are what is left on the screen.
type doctorReport struct {
	out   *bufio.Writer
	width int // 0 for lines of any length, when it is no terminal
}

func newReport(cmd *cobra.Command) *doctorReport {
	r := &doctorReport{}
	out := cmd.OutOrStdout()
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		r.width = width
	}
	screen := colorprofile.NewWriter(out, os.Environ())
	if screen.Profile <= colorprofile.ASCII { // NO_COLOR: not even bold
		screen.Profile = colorprofile.NoTTY
	}
	r.out = bufio.NewWriter(screen)
	return r
}

var levelStyles = map[doctor.Level]lipgloss.Style{
	doctor.OK:        lipgloss.NewStyle().Foreground(lipgloss.Green),
	doctor.Notice:    lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	doctor.Unchecked: lipgloss.NewStyle().Foreground(lipgloss.Magenta),
	doctor.Warning:   lipgloss.NewStyle().Foreground(lipgloss.Yellow).Bold(true),
	doctor.Problem:   lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
}

// alike is how many findings of one check are written out.
const alike = 10

func (r *doctorReport) write(found []doctor.Finding) error {
	for _, level := range doctor.Levels() {
		written := map[string]int{}
		for i, f := range found {
			if f.Level != level {
				continue
			}
			if written[f.Check]++; written[f.Check] <= alike {
				r.finding(f)
			} else if !slices.ContainsFunc(found[i+1:], func(g doctor.Finding) bool { return g.Level == level && g.Check == f.Check }) {
				r.line(level, fmt.Sprintf("%s: and %d more, which --json lists", f.Check, written[f.Check]-alike))
			}
		}
	}
	return r.out.Flush()
}

func (r *doctorReport) finding(f doctor.Finding) {
	text := f.Check + ": "
	if f.Queue != "" {
		text += fmt.Sprintf("queue %q: ", f.Queue)
	}
	r.line(f.Level, text+f.What)
	if f.Do != "" {
		r.line("", "do: "+f.Do)
	}
}

// line writes text behind a level, and indented like that.
func (r *doctorReport) line(level doctor.Level, text string) {
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
		fmt.Fprintf(r.out, "%s%s\n", head, strings.TrimSpace(line))
		head = strings.Repeat(" ", margin)
	}
}
