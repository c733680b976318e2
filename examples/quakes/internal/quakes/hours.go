package quakes

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	hourMS = int64(time.Hour / time.Millisecond)
	dayMS  = 24 * hourMS
)

// Hours draws the activity over time: how many quakes began in each stretch of
// three hours, UTC, with a mark above a stretch that had a strong one. A longer
// time than fits the width is drawn in longer stretches.
func Hours(quakes []Quake, s Style) string {
	if len(quakes) == 0 {
		return "quakes over time\n  none\n"
	}
	axis := newTimeline(quakes, s.width())
	counts := make([]int, axis.bins)
	hadStrong := make([]bool, axis.bins)
	most, marks := 0, false
	for i := range quakes {
		bin := axis.bin(quakes[i].TimeMS)
		counts[bin]++
		most = max(most, counts[bin])
		if class, ok := classOf(quakes[i].Magnitude); ok && class == strong {
			hadStrong[bin], marks = true, true
		}
	}

	c := newCanvas(axis.bins*axis.columns, 3)
	for bin, n := range counts {
		level := columnLevel(n, most)
		for i := range axis.columns {
			col := bin*axis.columns + i
			*c.at(col, 1) = cell{mark: column(level - 8), ink: inkCount}
			*c.at(col, 2) = cell{mark: column(level), ink: inkCount}
		}
		if hadStrong[bin] {
			*c.at(bin*axis.columns, 0) = cell{mark: strong.mark(), ink: strong.ink()}
		}
	}

	title := fmt.Sprintf("quakes every %d hours, %s at most", axis.step/hourMS, thousands(most))
	first := 1
	if marks {
		title += fmt.Sprintf(", %c where one reached 6", strong.mark())
		first = 0
	}
	return printable(title, s.width()) + "\n" + c.rows(first, 3, s) + s.paint(inkMuted, axis.days()) + "\n"
}

// columnLevel is the height of a column in eighths of its two rows. Anything
// above zero gets at least one.
func columnLevel(n, most int) int {
	if n == 0 {
		return 0
	}
	return max(int(math.Round(float64(n)/float64(most)*16)), 1)
}

// column is a block of the given height in eighths: none below 1, all from 8.
func column(level int) rune {
	if level <= 0 {
		return 0
	}
	return '▁' + rune(min(level, 8)-1)
}

// timeline cuts time into bins of equal length.
type timeline struct {
	step    int64 // length of a bin in milliseconds
	first   int64 // number of the first bin, counted from the Unix epoch
	bins    int
	columns int // drawn for each bin
}

func newTimeline(quakes []Quake, width int) timeline {
	from, to := quakes[0].TimeMS, quakes[0].TimeMS
	for _, q := range quakes {
		from, to = min(from, q.TimeMS), max(to, q.TimeMS)
	}
	// Even for the earliest and the latest time an int64 can hold, the number
	// of bins does not overflow, and the doubling ends long before the step.
	step := 3 * hourMS
	for floorDiv(to, step)-floorDiv(from, step) >= int64(width) {
		step *= 2
	}
	first := floorDiv(from, step)
	bins := int(floorDiv(to, step) - first + 1)
	return timeline{step: step, first: first, bins: bins, columns: min(width/bins, 4)}
}

func (t timeline) bin(ms int64) int {
	return int(floorDiv(ms, t.step) - t.first)
}

// days writes the date under the first bin of each day, as far as there is
// room.
func (t timeline) days() string {
	var line strings.Builder
	used := 0
	for bin := range t.bins {
		start := (t.first + int64(bin)) * t.step
		if start%dayMS != 0 {
			continue
		}
		label := "╵" + time.UnixMilli(start).UTC().Format("2 Jan")
		col, size := bin*t.columns, utf8.RuneCountInString(label)
		if col < used || col+size > t.bins*t.columns {
			continue
		}
		line.WriteString(strings.Repeat(" ", col-used) + label)
		used = col + size
	}
	return line.String()
}

// floorDiv rounds towards the past also before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
