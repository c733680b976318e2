package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// display shows texts one after the other. A live one is at a terminal and shows
// each in the place of the one before it; elsewhere they follow each other, with
// an empty line in between.
type display struct {
	out, err io.Writer
	live     bool
	shown    []string // the latest text
	drawn    bool     // on a screen of its own
}

// newDisplay returns a display, which can be live only at a terminal.
func newDisplay(cmd *cobra.Command, live bool) *display {
	width, _ := screenSize()
	return &display{
		out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(),
		live: live && width > 0 && os.Getenv("TERM") != "dumb",
	}
}

// screenSize returns the columns and rows of the terminal; 0 for none.
func screenSize() (width, height int) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}

// styles returns the styles that standard output can show: with NO_COLOR not even bold.
func styles() colorprofile.Profile {
	profile := colorprofile.Detect(os.Stdout, os.Environ())
	if profile <= colorprofile.ASCII {
		return colorprofile.NoTTY
	}
	return profile
}

// show shows a text in lines.
func (d *display) show(lines []string) error {
	before := d.shown
	d.shown = lines
	if d.live {
		return d.draw(lines)
	}
	if before != nil {
		lines = append([]string{""}, lines...)
	}
	return d.write(lines)
}

// warn shows a line above the latest text, or on standard error.
func (d *display) warn(text string) error {
	if d.live {
		return d.draw(append([]string{text, ""}, d.shown...))
	}
	_, err := fmt.Fprintln(d.err, text)
	return err
}

// end leaves the latest text behind on the screen that was there before.
func (d *display) end() error {
	if !d.drawn {
		return nil
	}
	d.drawn = false
	if _, err := io.WriteString(d.out, "\x1b[?25h\x1b[?7h\x1b[?1049l"); err != nil {
		return err
	}
	return d.write(d.shown)
}

func (d *display) write(lines []string) error {
	_, err := io.WriteString(d.out, styled(strings.Join(lines, "\n")+"\n"))
	return err
}

// draw draws the screen anew, as much as there is room for.
func (d *display) draw(lines []string) error {
	var text strings.Builder
	if !d.drawn {
		d.drawn = true
		text.WriteString("\x1b[?1049h\x1b[?7l\x1b[?25l") // a screen of its own, no wrapping, no cursor
	}
	width, height := screenSize()
	if left := len(lines) - height; left > 0 && height > 1 {
		lines = append(lines[:height-1:height-1], fmt.Sprintf("… and %s that the window has no room for", count(int64(left+1), "line")))
	}
	text.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			text.WriteString("\n")
		}
		text.WriteString("\x1b[K" + styled(lipgloss.NewStyle().MaxWidth(width).Render(line)))
	}
	text.WriteString("\x1b[J")
	_, err := io.WriteString(d.out, text.String())
	return err
}

// styled returns a text with no more than standard output can show.
func styled(text string) string {
	var b bytes.Buffer
	screen := colorprofile.Writer{Forward: &b, Profile: styles()}
	_, _ = screen.WriteString(text) // to memory
	return b.String()
}
