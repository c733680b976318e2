package quakes

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Bins are one magnitude wide; the first takes all below 0, the last 9 and up.
const magnitudeBins = 11

// Magnitudes draws how many quakes there were of each magnitude. The bars are
// linear: magnitude itself is a logarithm already, and a bar twice as long
// should mean twice as many. Quakes without a usable magnitude are counted as
// not shown.
func Magnitudes(quakes []Quake, s Style) string {
	var counts [magnitudeBins]int
	skipped := 0
	for _, q := range quakes {
		if _, ok := classOf(q.Magnitude); !ok {
			skipped++
			continue
		}
		counts[magnitudeBin(q.Magnitude)]++
	}

	most, first, last := 0, -1, 0
	for bin, n := range counts {
		if n > 0 {
			most, last = max(most, n), bin
			if first < 0 {
				first = bin
			}
		}
	}

	var out strings.Builder
	out.WriteString("quakes by magnitude\n")
	if first < 0 {
		out.WriteString("  none\n")
	} else {
		digits := len(thousands(most))
		for bin := first; bin <= last; bin++ {
			// The middle of the bin is never on the border of a class.
			class, _ := classOf(float64(bin) - 0.5)
			head := fmt.Sprintf(" %-4s %*s ", binLabel(bin), digits, thousands(counts[bin]))
			room := s.width() - 3 - utf8.RuneCountInString(head)
			out.WriteString("  " + s.paint(class.ink(), string(class.mark())) + head)
			out.WriteString(s.paint(class.ink(), bar(counts[bin], most, room)) + "\n")
		}
	}
	if skipped > 0 {
		fmt.Fprintf(&out, "  not shown: %s without a usable magnitude\n", thousands(skipped))
	}
	return out.String()
}

func magnitudeBin(magnitude float64) int {
	return int(min(max(math.Floor(magnitude), -1), magnitudeBins-2)) + 1
}

func binLabel(bin int) string {
	switch bin {
	case 0:
		return "< 0"
	case magnitudeBins - 1:
		return "9+"
	default:
		return fmt.Sprintf("%d–%d", bin-1, bin)
	}
}

// bar is a bar of n out of most, in eighths of a column. Anything above zero
// gets at least a sliver.
func bar(n, most, width int) string {
	if n <= 0 {
		return ""
	}
	eighths := max(int(math.Round(float64(n)/float64(most)*float64(width)*8)), 1)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string('█' + rune(8-rest)) // ▏ is one eighth, ▉ is seven
	}
	return text
}
