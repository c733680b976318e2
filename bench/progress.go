package main

import (
	"fmt"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a run is, on standard error: by a bar on a terminal, and by
// one line for each piece elsewhere. A nil progress shows nothing.
type progress struct {
	bar  *progressbar.ProgressBar // nil where there is no terminal
	next step
}

func (p *progress) begin(total int) {
	if p == nil || !term.IsTerminal(int(os.Stderr.Fd())) {
		return
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false), // pieces differ too much
		progressbar.OptionClearOnFinish(),
	)
}

func (p *progress) at(s step) {
	if p == nil {
		return
	}
	p.next = s
	if p.bar != nil {
		p.bar.Describe(s.String())
	}
}

func (p *progress) done(one result) {
	switch {
	case p == nil:
	case one.Failure != "":
		p.line(fmt.Sprintf("%v: failed: %s", p.next, one.Failure))
	case p.bar == nil:
		p.line(fmt.Sprintf("%v: %s", p.next, brief(p.next.cell, one)))
	}
	if p != nil && p.bar != nil {
		_ = p.bar.Add(1)
	}
}

func (p *progress) line(text string) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(os.Stderr, text)
}

func (p *progress) end() {
	if p != nil && p.bar != nil {
		_ = p.bar.Finish()
	}
}
