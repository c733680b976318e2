package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
)

// sheet is a list of labels and what there is to say; a label is empty when the
// line belongs to the one above.
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

// sheet lays the details out for people.
func (d *details) sheet() sheet {
	var s sheet
	s.add("queue", "%s", visible([]byte(d.Name)))
	s.add("kind", "%s, made %s", d.Kind, timeText(d.CreatedAt))
	d.addMessages(&s)
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
		s.add("notify", "at most every %v, last %s", time.Duration(d.Notify.ThrottleMs)*time.Millisecond, ago(unlessNever(d.Notify.LastAt)))
	case !slices.Contains(d.Unreadable, "announcements"):
		s.add("notify", "off")
	}
	d.Queue.addTo(&s, "table", "")
	archived := ""
	if d.ArchiveEstimate != nil {
		archived = fmt.Sprintf("about %s, ", count(*d.ArchiveEstimate, "message"))
	}
	d.Archive.addTo(&s, "archive", archived)
	if len(d.Unreadable) > 0 {
		s.add("unreadable", "%s", strings.Join(d.Unreadable, ", "))
	}
	return s
}

func (d *details) addMessages(s *sheet) {
	m := d.metrics
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

// addTo adds the lines about a table.
func (r *relation) addTo(s *sheet, label, prefix string) {
	if r == nil {
		s.add(label, "gone")
		return
	}
	s.add(label, "pgmq.%s, %s%s and %s of indexes, of role %s", visible([]byte(r.Table)), prefix, size(r.Bytes), size(r.IndexBytes), r.Owner)
	if p := r.Partitioning; p != nil {
		unread := ""
		if p.DropUnread {
			unread = " even with messages in it"
		}
		s.add("", "%s, one for each %s, dropped%s behind %s, %d made ahead", count(r.Partitions, "partition"), p.Interval, unread, p.Retention, p.Premake)
	} else if r.Partitions > 0 {
		s.add("", "%s, which pgmq does not make", count(r.Partitions, "partition"))
	}
	for _, i := range r.Indexes {
		broken := ""
		if !i.Valid {
			broken = ", invalid: drop it and make it again"
		}
		s.add("  index", "%s, %s, %s%s", i.Name, size(i.Bytes), i.Definition, broken)
	}
	storage := r.Storage
	if storage == "" {
		storage = "the server's defaults"
	}
	s.add("  storage", "%s", storage)
	s.add("  vacuum", "by itself %s, by hand %s, analyzed %s; %s", ago(r.AutovacuumedAt), ago(r.VacuumedAt), ago(r.AnalyzedAt), count(r.DeadRows, "dead row"))
	s.add("  written", "%s inserted, %s updated, %s deleted", number(r.Inserted), number(r.Updated), number(r.Deleted))
	for _, role := range r.grantees {
		s.add("  grant", "%s: %s", role, r.Grants[role])
	}
}

// ago writes how long ago something was; nil is never.
func ago(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return age(time.Since(*at)) + " ago"
}
