package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"github.com/charmbracelet/colorprofile"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/pgmq-go/pgmq/examples/quakes/internal/quakes"
)

// screen shows the demo: its text goes to standard output, progress and
// errors to standard error. Colour and progress are for terminals only.
type screen struct {
	out, err io.Writer
	live     bool // standard error is a terminal
	style    quakes.Style
	format   *message.Printer
}

func newScreen() *screen {
	s := &screen{
		out:    colorprofile.NewWriter(os.Stdout, os.Environ()),
		err:    os.Stderr,
		live:   term.IsTerminal(int(os.Stderr.Fd())),
		format: message.NewPrinter(language.English),
	}
	s.style.Color = colorprofile.Detect(os.Stdout, os.Environ()) > colorprofile.ASCII
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		s.style.Width = width
	}
	return s
}

// step shows the running step; done takes its place.
func (s *screen) step(label, text string) {
	if s.live {
		fmt.Fprintf(s.err, "\r\x1b[K  %-10s %s", label, text)
	}
}

func (s *screen) done(label, text string) {
	if s.live {
		fmt.Fprint(s.err, "\r\x1b[K")
	}
	fmt.Fprintf(s.out, "  %-10s %s\n", label, text)
}

// progress shows the tally while it grows, until the returned function is called.
func (s *screen) progress(t *tally) (stop func()) {
	if !s.live {
		return func() {}
	}
	bar := progressbar.NewOptions(-1,
		progressbar.OptionSetWriter(s.err),
		progressbar.OptionSpinnerType(14),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetElapsedTime(false),
	)
	stopped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			c := t.snapshot()
			bar.Describe(s.format.Sprintf("sent %d · delivered %d · retried %d · dead %d · deleted %d",
				c.sent, c.delivered, c.retried, c.dead, c.deleted))
			_ = bar.Add(1)
			select {
			case <-stopped:
				_ = bar.Finish()
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(stopped); <-gone }
}

// complaints names the lines that were not carried. Their text is not shown: it
// may be anybody's data.
func (s *screen) complaints(t *tally) {
	for _, c := range t.bad {
		fmt.Fprintf(s.err, "line %d was left out: %v\n", c.number, c.err)
	}
	if more := t.counts.broken - len(t.bad); more > 0 {
		fmt.Fprintln(s.err, s.format.Sprintf("and %d more lines", more))
	}
}

func (s *screen) pictures(t *tally) {
	if len(t.quakes) > 0 {
		fmt.Fprintf(s.out, "\n%s\n%s\n%s", quakes.Map(t.quakes, s.style), quakes.Hours(t.quakes, s.style), quakes.Magnitudes(t.quakes, s.style))
	}
}

// deaths shows the reasons and errors of a queue's dead letters.
func (s *screen) deaths(kinds []deaths, all int, name string) {
	fmt.Fprintln(s.out)
	s.done("dead", s.number(all)+" messages are in "+name+" and say why:")
	first, digits := time.Now(), len(s.number(all))
	for _, k := range kinds {
		all -= k.Count
		reads := "1 read"
		if k.Reads != 1 {
			reads = fmt.Sprintf("%d reads", k.Reads)
		}
		s.done("", fmt.Sprintf("%*s  %-11s  %-7s  %s", digits, s.number(k.Count), k.Reason, reads, k.Error))
		if k.FirstSent.Before(first) {
			first = k.FirstSent
		}
	}
	if all > 0 {
		s.done("", s.number(all)+" others")
	}
	s.done("", "the first of them was sent at "+first.Local().Format("15:04:05.000"))
}

func (s *screen) report(t *tally) {
	c := t.counts
	if c.sent == 0 {
		return
	}
	rows := [][]string{
		{"sent", s.number(c.sent), s.rate(c.sent, t.sendEnd.Sub(t.start)) + fmt.Sprintf(", %d to a batch", sendSize)},
		{"delivered", s.number(c.delivered), "first time at " + s.rate(c.sent, t.firstEnd.Sub(t.start)) + fmt.Sprintf(", 2 × %d workers", workers)},
		{"retried", s.number(c.retried), fmt.Sprintf("the handler failed or panicked; back after %v", backoff)},
		{"returned", s.number(c.returned), "given back at once by a consumer that stopped"},
		{"dead letters", s.number(c.dead), fmt.Sprintf("refused, or failed %d times", maxReads)},
		{"redriven", s.number(c.redriven), "to a handler that knows blasts"},
		{"deleted", s.number(c.deleted), "after they were handled"},
		{"pick-up", s.latency(t, 50), "p50 from send to first delivery, queueing included"},
		{"", s.latency(t, 99), "p99"},
	}
	if c.broken > 0 {
		rows = append(rows, []string{"left out", s.number(c.broken), "lines that could not be sent"})
	}
	fmt.Fprintln(s.out)
	fmt.Fprintln(s.out, table.New().Rows(rows...).
		Border(lipgloss.RoundedBorder()).BorderColumn(false).
		StyleFunc(func(_, col int) lipgloss.Style {
			cell := lipgloss.NewStyle().Padding(0, 1)
			switch col {
			case 1:
				return cell.Align(lipgloss.Right).Bold(true)
			case 2:
				return cell.Faint(true)
			}
			return cell
		}))
}

func (s *screen) proof(t *tally) {
	if t.counts.sent == 0 {
		fmt.Fprintln(s.out, "\nThere was no message to carry.")
		return
	}
	fmt.Fprintln(s.out, s.format.Sprintf("Each of the %d messages was settled exactly once. Both queues are empty.", t.counts.sent))
}

func (s *screen) number(n int) string { return s.format.Sprintf("%d", n) }

func (s *screen) rate(n int, took time.Duration) string {
	return s.format.Sprintf("%d a second", int(float64(n)/max(took, time.Microsecond).Seconds()))
}

// latency returns a percentile to three digits.
func (s *screen) latency(t *tally, percentile float64) string {
	d := time.Duration(t.latency.ValueAtPercentile(percentile)) * time.Microsecond
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
