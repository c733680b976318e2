package main

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
)

// columns are rows of cells. The first column is aligned to the left, and cut when
// it is too long for the screen; the others to the right. The first row is the
// heading.
type columns [][]string

// leastName is how much of the first column stays.
const leastName = 12

// lines returns the rows for a screen of this width; 0 is any.
func (c columns) lines(width int) []string {
	widths := make([]int, len(c[0]))
	for _, row := range c {
		for i, cell := range row {
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	others := 0
	for _, w := range widths[1:] {
		others += w
	}
	gap := 2
	if width > 0 {
		if widths[0]+others+gap*(len(widths)-1) > width {
			gap = 1
		}
		widths[0] = min(widths[0], max(width-others-gap*(len(widths)-1), leastName))
	}
	lines := make([]string, len(c))
	for i, row := range c {
		var line strings.Builder
		first := cut(row[0], widths[0])
		line.WriteString(first + strings.Repeat(" ", widths[0]-lipgloss.Width(first)))
		for j, cell := range row[1:] {
			line.WriteString(strings.Repeat(" ", gap+widths[j+1]-lipgloss.Width(cell)) + cell)
		}
		lines[i] = line.String()
		if i == 0 {
			lines[i] = lipgloss.NewStyle().Bold(true).Render(lines[i])
		}
	}
	return lines
}

// cut shortens a text to a width.
func cut(text string, width int) string {
	if lipgloss.Width(text) <= width {
		return text
	}
	return lipgloss.NewStyle().MaxWidth(width-1).Render(text) + "…"
}

// short writes a number in five places at most.
func short(n float64) string {
	for _, unit := range []struct {
		from, size float64
		digits     int
		name       string
	}{{1e10, 1e9, 0, "G"}, {1e9, 1e9, 1, "G"}, {1e7, 1e6, 0, "M"}, {1e6, 1e6, 1, "M"}, {1e5, 1e3, 0, "k"}} {
		if n >= unit.from {
			return fmt.Sprintf("%.*f%s", unit.digits, n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.0f", n)
}

// size writes a number of bytes.
func size(bytes int64) string {
	n, units := float64(bytes), []string{"B", "kB", "MB", "GB", "TB"}
	for len(units) > 1 && n >= 1024 {
		n, units = n/1024, units[1:]
	}
	if n < 10 && units[0] != "B" {
		return strings.Replace(fmt.Sprintf("%.1f%s", n, units[0]), ".0", "", 1)
	}
	return fmt.Sprintf("%.0f%s", n, units[0])
}

// age writes how long ago something was, in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", max(d, 0).Truncate(time.Second).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%.0fm", d.Truncate(time.Minute).Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Truncate(time.Hour).Hours())
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
