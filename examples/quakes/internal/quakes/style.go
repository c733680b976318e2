package quakes

import (
	"fmt"
	"strings"
	"unicode"
)

// Style says how to draw. The zero Style is plain text for 80 columns.
type Style struct {
	Color bool // use ANSI colours; without, the text holds no escape byte
	Width int  // columns to fill, held between 60 and 120; 0 means 80
}

const (
	minWidth     = 60
	maxWidth     = 120
	defaultWidth = 80
)

func (s Style) width() int {
	if s.Width == 0 {
		return defaultWidth
	}
	return min(max(s.Width, minWidth), maxWidth)
}

// ink is a colour by its purpose.
type ink int

const (
	inkNone ink = iota
	inkLand
	inkMuted
	inkCount
	inkMicro
	inkMinor
	inkModerate
	inkStrong
)

// sgr is the ANSI parameter of the ink. All come from the fixed part of the
// 256 colours, which terminal themes leave alone, and are chosen to be seen on
// black as well as on white.
func (i ink) sgr() string {
	switch i {
	case inkLand:
		return "38;5;242"
	case inkMuted:
		return "38;5;245"
	case inkCount:
		return "38;5;67"
	case inkMicro:
		return "38;5;37"
	case inkMinor:
		return "38;5;178"
	case inkModerate:
		return "38;5;208"
	case inkStrong:
		return "1;38;5;197"
	default:
		return ""
	}
}

// paint colours text if the style asks for it.
func (s Style) paint(i ink, text string) string {
	code := i.sgr()
	if !s.Color || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// printable makes text from outside safe for a terminal, and cuts it to fit.
func printable(text string, width int) string {
	clean := make([]rune, 0, len(text))
	for _, r := range text {
		if unicode.IsPrint(r) {
			clean = append(clean, r)
		}
	}
	if len(clean) > width {
		clean = append(clean[:max(width-1, 0)], '…')
	}
	return string(clean)
}

// thousands writes a count with separators: 1707 is "1,707".
func thousands(n int) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
