package quakes

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tally counts the quakes that a map shows.
type tally struct {
	counts    [classes]int
	strongest *Quake
	skipped   int
}

func (t *tally) add(q *Quake, c class) {
	t.counts[c]++
	if t.strongest == nil || q.Magnitude > t.strongest.Magnitude {
		t.strongest = q
	}
}

// legend explains the marks, names the strongest quake, and counts the quakes that
// the map does not show.
func (t *tally) legend(s Style) string {
	const gap = "  "
	var out strings.Builder
	out.WriteString("magnitude")
	used := len("magnitude")
	for c := micro; c <= strong; c++ {
		text := fmt.Sprintf(" %s: %s", c, thousands(t.counts[c]))
		size := len(gap) + 1 + utf8.RuneCountInString(text)
		if used+size > s.width() {
			out.WriteByte('\n')
			used = 0
		}
		out.WriteString(gap + s.paint(c.ink(), string(c.mark())) + text)
		used += size
	}
	out.WriteByte('\n')
	if t.strongest != nil {
		out.WriteString(nameStrongest(t.strongest, s.width()) + "\n")
	}
	out.WriteString(s.paint(inkMuted, "each mark is the strongest quake in its cell") + "\n")
	if t.skipped > 0 {
		fmt.Fprintf(&out, "not shown: %s without a usable position or magnitude\n", thousands(t.skipped))
	}
	return out.String()
}

// nameStrongest cuts the place rather than the time, should one not fit.
func nameStrongest(q *Quake, width int) string {
	head := printable(fmt.Sprintf("strongest  %.1f, ", q.Magnitude), width/2)
	tail := q.Time().Format(", 2 Jan 15:04 UTC")
	room := width - utf8.RuneCountInString(head) - utf8.RuneCountInString(tail)
	return head + printable(q.Place, room) + tail
}
