package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgmq-go/pgmq/internal/inspect"
)

// statsText lays queues out for the screen. With --watch it adds the time, and
// shows rates in place of figures that change slowly.
func statsText(queues []inspect.Queue, every time.Duration) []string {
	watching := every > 0
	heading := "QUEUE TOTAL VISIBLE FLIGHT DELAYED OLDEST NEWEST READS SIZE ARCHIVE"
	var text, problems []string
	if watching {
		heading = "QUEUE TOTAL VISIBLE FLIGHT DELAYED OLDEST READS SIZE SENT/S DONE/S"
		text = []string{fmt.Sprintf("%s  %s, every %v", timeText(time.Now()), count(int64(len(queues)), "queue"), every)}
	}
	table := columns{strings.Fields(heading)}
	for _, q := range queues {
		name := visible([]byte(q.Name))
		table = append(table, append([]string{name}, cells(q, watching)...))
		if q.Problem != "" {
			problems = append(problems, name+": "+q.Problem)
		}
	}
	width, _ := screenSize()
	return slices.Concat(text, table.lines(width), problems)
}

const unknown = "-"

// cells returns the columns of a queue behind its name.
func cells(q inspect.Queue, rates bool) []string {
	m := q.Messages
	if m == nil {
		cells := []string{unknown, unknown, unknown, unknown, unknown, unknown}
		if rates {
			return append(cells, size(q.TableBytes), unknown, unknown)
		}
		return append(cells, unknown, size(q.TableBytes), size(q.ArchiveBytes))
	}
	about := ""
	if m.Estimated {
		about = "~"
	}
	number := func(n int64) string { return about + short(float64(n)) }
	cells := []string{number(m.Length), number(m.Visible), number(m.InFlight), number(m.Delayed), ageOf(m.OldestVisible)}
	if rates {
		return append(cells, short(float64(m.MaxReads)), size(q.TableBytes), rate(m.Sent), rate(m.Settled))
	}
	return append(cells, ageOf(m.Newest), short(float64(m.MaxReads)), size(q.TableBytes), size(q.ArchiveBytes))
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
