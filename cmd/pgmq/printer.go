package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pgmq-go/pgmq/queue"
)

// printer writes messages: each as a line of JSON, or at a terminal as a few lines for
// people.
type printer struct {
	out   *bufio.Writer
	lines bool // of JSON
	width int
}

func newPrinter(cmd *cobra.Command, asJSON bool) *printer {
	p := &printer{lines: true}
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && !asJSON {
		p.lines, p.width = false, width
	}
	out := cmd.OutOrStdout()
	if !p.lines {
		out = &colorprofile.Writer{Forward: out, Profile: styles()}
	}
	p.out = bufio.NewWriter(out)
	return p
}

// print writes a message. Its state is for people only.
func (p *printer) print(r record, state string) error {
	if !p.lines {
		return p.card(r, state)
	}
	return p.line(r)
}

// unfetched writes the messages that could not be fetched, from the errors of a read, and
// their number. It returns any other error.
func (p *printer) unfetched(err error) (ids []int64, other error) {
	failed := queue.FetchErrors(err)
	if err == nil || len(failed) == 0 {
		return nil, err
	}
	for _, f := range failed {
		ids = append(ids, f.ID)
		if p.lines {
			err = p.line(unfetched{ID: f.ID, Error: f.Error()})
		} else {
			_, err = fmt.Fprintf(p.out, "%s\n", visible(json.RawMessage(f.Error())))
		}
		if err != nil {
			return ids, err
		}
	}
	return ids, nil
}

func (p *printer) line(v any) error {
	out := json.NewEncoder(p.out)
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// ids writes a line for each id.
func (p *printer) ids(ids []int64) error {
	for _, id := range ids {
		if err := p.line(map[string]int64{"msg_id": id}); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) flush() error { return p.out.Flush() }

// cardLines is how much of a body a card shows.
const cardLines = 10

func (p *printer) card(r record, state string) error {
	bold, faint := lipgloss.NewStyle().Bold(true), lipgloss.NewStyle().Faint(true)
	about := []string{"sent " + r.EnqueuedAt.String(), "read " + count(int64(r.Reads), "time")}
	if state != "" {
		about = append(about, state)
	}
	fmt.Fprintf(p.out, "%s  %s\n", bold.Render(fmt.Sprint(r.ID)), faint.Render(strings.Join(about, " · ")))
	if len(r.Headers) > 0 {
		p.wrapped("headers "+visible(r.Headers), faint)
	}
	p.wrapped(visible(r.Message), lipgloss.NewStyle())
	return p.out.Flush()
}

// wrapped writes text that is indented, and cut when it is long.
func (p *printer) wrapped(text string, style lipgloss.Style) {
	const indent = "    "
	width := max(p.width-len(indent), 20)
	bytes := len(text)
	text = text[:min(bytes, width*cardLines*4)] // wrapping takes its time
	lines := strings.Split(lipgloss.Wrap(text, width, ""), "\n")
	if len(lines) > cardLines {
		lines = append(lines[:cardLines], fmt.Sprintf("… %s in all, which --json shows", count(int64(bytes), "byte")))
	}
	for _, l := range lines {
		fmt.Fprintf(p.out, "%s%s\n", indent, style.Render(l))
	}
}

// visible returns the same JSON without characters that a terminal might obey.
func visible(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "NULL"
	}
	var b strings.Builder
	for _, r := range string(raw) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}
