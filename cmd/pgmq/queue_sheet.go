package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// sheet is a list of labels and texts; a label is empty when the line belongs to
// the one above.
type sheet [][2]string

func (s *sheet) add(label, format string, args ...any) {
	*s = append(*s, [2]string{label, fmt.Sprintf(format, args...)})
}

// lines returns the sheet for the screen, or for 80 columns.
func (s sheet) lines() []string {
	width, _ := screenSize()
	if width == 0 {
		width = 80
	}
	const labels = 12
	var lines []string
	for _, row := range s {
		label := lipgloss.NewStyle().Bold(true).Render(row[0]) + strings.Repeat(" ", labels-len(row[0]))
		for _, part := range strings.Split(lipgloss.Wrap(row[1], max(width-labels, 20), ""), "\n") {
			lines = append(lines, strings.TrimRight(label+part, " "))
			label = strings.Repeat(" ", labels)
		}
	}
	return lines
}

// detailsSheet lays the details of a queue out for people.
func detailsSheet(d *inspect.Details) sheet {
	var s sheet
	s.add("queue", "%s", visible([]byte(d.Name)))
	s.add("kind", "%s, created %s", d.Kind, timeText(d.CreatedAt))
	s.addMessages(d)
	for _, o := range d.DeadLetters {
		s.add("from", "%s of the first 1,000 died in queue %q", count(o.Messages, "message"), o.Queue)
	}
	switch {
	case len(d.Topics) > 0:
		s.add("topics", "%s", strings.Join(d.Topics, "\n"))
	case !slices.Contains(d.Unreadable, "topics"):
		s.add("topics", "none")
	}
	switch {
	case d.Notify != nil:
		notified := "never"
		if last := d.Notify.LastAt; last.Unix() != 0 {
			notified = ago(&last)
		}
		s.add("notify", "at most every %v, last %s", time.Duration(d.Notify.ThrottleMs)*time.Millisecond, notified)
	case !slices.Contains(d.Unreadable, "notifications"):
		s.add("notify", "off")
	}
	s.addTable("table", "", d.Table)
	archived := ""
	if d.ArchiveEstimate != nil {
		archived = fmt.Sprintf("about %s, ", count(*d.ArchiveEstimate, "message"))
	}
	s.addTable("archive", archived, d.Archive)
	if len(d.Unreadable) > 0 {
		s.add("unreadable", "%s", strings.Join(d.Unreadable, ", "))
	}
	return s
}

func (s *sheet) addMessages(d *inspect.Details) {
	m := d.Messages
	if m == nil {
		s.add("messages", "%s", d.Problem)
		return
	}
	about := ""
	if m.Estimated {
		about = "about "
	}
	s.add("messages", "%s%s: %s visible, %s in flight, %s delayed", about, count(m.Length, "message"), number(m.Visible), number(m.InFlight), number(m.Delayed))
	if m.OldestVisible != nil {
		s.add("", "the oldest visible one sent %s ago", ageOf(m.OldestVisible))
	}
	if m.Newest != nil {
		s.add("", "the newest sent %s ago; %s at most", ageOf(m.Newest), count(int64(m.MaxReads), "read"))
	}
	s.add("", "%s drawn so far", count(m.LastID, "id"))
}

// addTable adds the lines about a table, which is nil when it is gone.
func (s *sheet) addTable(label, prefix string, t *admin.Table) {
	if t == nil {
		s.add(label, "gone")
		return
	}
	s.add(label, "pgmq.%s, %s%s and %s of indexes, of role %s", visible([]byte(t.Name)), prefix, size(t.Bytes), size(t.IndexBytes), t.Owner)
	if p := t.Partitioning; p != nil {
		end := "never dropped"
		if p.Retention != "" {
			end = "dropped after " + p.Retention
			if p.DropUnread {
				end = "dropped even with messages in it after " + p.Retention
			}
		}
		s.add("", "%s, one for each %s, %s, %d made ahead", count(t.Partitions, "partition"), p.Interval, end, p.Premake)
	} else if t.Partitions > 0 {
		s.add("", "%s, which pgmq does not maintain", count(t.Partitions, "partition"))
	}
	for _, i := range t.Indexes {
		broken := ""
		if !i.Valid {
			broken = ", invalid: drop it and create it again"
		}
		s.add("  index", "%s, %s, %s%s", i.Name, size(i.Bytes), i.Definition, broken)
	}
	storage := t.Storage
	if storage == "" {
		storage = "the server's defaults"
	}
	s.add("  storage", "%s", storage)
	s.add("  vacuum", "by itself %s, by hand %s, analyzed %s; %s", ago(t.AutovacuumedAt), ago(t.VacuumedAt), ago(t.AnalyzedAt), count(t.DeadRows, "dead row"))
	s.add("  written", "%s inserted, %s updated, %s deleted", number(t.Inserted), number(t.Updated), number(t.Deleted))
	for _, role := range grantees(t) {
		s.add("  grant", "%s: %s", role, t.Grants[role])
	}
}

// grantees returns the roles with grants, PUBLIC first.
func grantees(t *admin.Table) []string {
	roles := slices.Sorted(maps.Keys(t.Grants))
	if i := slices.Index(roles, "PUBLIC"); i > 0 {
		roles = slices.Insert(slices.Delete(roles, i, i+1), 0, "PUBLIC")
	}
	return roles
}

// ago writes how long ago something was; nil is never.
func ago(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return age(time.Since(*at)) + " ago"
}
