package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// progress shows on a terminal how far a command is; elsewhere it is silent.
type progress struct {
	out   io.Writer
	doing string
	bar   *progressbar.ProgressBar // nil for none
}

func newProgress(cmd *cobra.Command, doing string) *progress {
	p := &progress{out: cmd.ErrOrStderr(), doing: doing}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.bar = progressbar.NewOptions64(-1,
			progressbar.OptionSetWriter(p.out),
			progressbar.OptionSpinnerType(14),
			progressbar.OptionThrottle(50*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// at tells how many messages are done.
func (p *progress) at(n int64) {
	if p.bar != nil {
		p.bar.Describe(p.doing + " " + count(n, "message"))
		_ = p.bar.Set64(n)
	}
}

// note writes a line that stays.
func (p *progress) note(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// end takes the progress away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
