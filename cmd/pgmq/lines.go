package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"time"

	"golang.org/x/term"
)

const (
	// maxLine is the longest line that is carried.
	maxLine = 16 << 20
	// pause is how long gathered lines wait for more of them.
	pause = 50 * time.Millisecond
)

var errLongLine = errors.New("longer than 16 MiB")

// line is one line of the input.
type line struct {
	number int // from 1
	text   []byte
	err    error // errLongLine, or what reading ended with
}

// openLines opens a file; - is standard input.
func openLines(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}

// piped tells whether standard input is something else than a keyboard.
func piped() bool { return !term.IsTerminal(int(os.Stdin.Fd())) }

// readLines sends the lines of r that are not blank, until the input or ctx
// ends. It reads in a goroutine of its own, because a read from a terminal
// cannot be interrupted; after ctx has ended that one may stay until r answers.
func readLines(ctx context.Context, r io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(r, 1<<16)
		for number := 1; ; number++ {
			text, err := readLine(in)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			select {
			case lines <- line{number, text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, errLongLine) {
				return
			}
		}
	}()
	return lines
}

// batches gathers the lines of r: up to most of them, or 16 MiB, or what came
// before a pause. When ctx ends, so does it, without what it had gathered.
func batches(ctx context.Context, r io.Reader, most int) iter.Seq[[]line] {
	return func(yield func([]line) bool) {
		lines := readLines(ctx, r)
		idle := time.NewTimer(pause)
		defer idle.Stop()
		var batch []line
		weight := 0
		for ctx.Err() == nil {
			more, full := true, true
			select {
			case <-ctx.Done():
				return
			case <-idle.C:
			case l, open := <-lines:
				if more = open; open {
					batch, weight = append(batch, l), weight+len(l.text)
				}
				full = !open || len(batch) >= most || weight >= maxLine
				idle.Reset(pause)
			}
			if full && len(batch) > 0 {
				if !yield(batch) {
					return
				}
				batch, weight = nil, 0
			}
			if !more {
				return
			}
		}
	}
}

// readLine returns the next line without its end, and io.EOF after the last. Of
// a line that is too long it keeps nothing.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	long := false
	for {
		part, more, err := in.ReadLine()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case err != nil && text == nil && !long:
			return nil, io.EOF
		}
		if long = long || len(text)+len(part) > maxLine; !long {
			text = append(text, part...)
		} else {
			text = nil
		}
		if !more || err != nil {
			break
		}
	}
	if long {
		return nil, errLongLine
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}
