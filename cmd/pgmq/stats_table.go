package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// statsText lays looks out for the screen. When somebody watches, it says when
// that was, and rates take the place of what changes slowly.
func statsText(looks []look, every time.Duration) []string {
	watching := every > 0
	heading := "QUEUE TOTAL VISIBLE FLIGHT DELAYED OLDEST NEWEST READS SIZE ARCHIVE"
	var text, problems []string
	if watching {
		heading = "QUEUE TOTAL VISIBLE FLIGHT DELAYED OLDEST READS SIZE SENT/S DONE/S"
		text = []string{fmt.Sprintf("%s  %s, every %v", timeText(time.Now()), count(int64(len(looks)), "queue"), every)}
	}
	g := grid{strings.Fields(heading)}
	for _, l := range looks {
		name := visible([]byte(l.Name))
		g = append(g, append([]string{name}, l.cells(watching)...))
		if l.Problem != "" {
			problems = append(problems, name+": "+l.Problem)
		}
	}
	width, _ := screenSize()
	return slices.Concat(text, g.lines(width), problems)
}

const unknown = "-"

func (l *look) cells(rates bool) []string {
	m := l.metrics
	if m == nil {
		cells := []string{unknown, unknown, unknown, unknown, unknown, unknown}
		if rates {
			return append(cells, size(l.TableBytes), unknown, unknown)
		}
		return append(cells, unknown, size(l.TableBytes), size(l.ArchiveBytes))
	}
	about := ""
	if m.Estimated {
		about = "~"
	}
	number := func(n int64) string { return about + short(float64(n)) }
	cells := []string{number(m.Length), number(m.Visible), number(m.InFlight), number(m.Delayed), ageOf(m.OldestVisible)}
	if rates {
		return append(cells, short(float64(m.MaxReads)), size(l.TableBytes), rate(m.Sent), rate(m.Settled))
	}
	return append(cells, ageOf(m.Newest), short(float64(m.MaxReads)), size(l.TableBytes), size(l.ArchiveBytes))
}

func ageOf(seconds *int64) string {
	if seconds == nil {
		return unknown
	}
	return age(time.Duration(*seconds) * time.Second)
}

// rate writes how many a second; below ten with a decimal.
func rate(perSecond *float64) string {
	switch {
	case perSecond == nil:
		return unknown
	case *perSecond > 0 && *perSecond < 9.95:
		return fmt.Sprintf("%.1f", *perSecond)
	}
	return short(*perSecond)
}
