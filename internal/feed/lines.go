// Package feed reads lines and sends them as messages, many at a time.
package feed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"time"
)

const (
	maxLine = 16 << 20              // bytes of the longest line that is carried
	pause   = 50 * time.Millisecond // how long gathered lines wait for more of them
)

// ErrLongLine is the error of a line that is not carried.
var ErrLongLine = errors.New("longer than 16 MiB")

// Line is one line of the input.
type Line struct {
	Number int // from 1
	Text   []byte
	Err    error // ErrLongLine, or the error that reading ended with
}

// Open opens a file; - is standard input.
func Open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}

// readLines sends the lines of r that are not blank, until the input or ctx
// ends. It reads in a goroutine of its own, because a read from a terminal
// cannot be interrupted; after ctx has ended that one may stay until r answers.
func readLines(ctx context.Context, r io.Reader) <-chan Line {
	lines := make(chan Line)
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
			case lines <- Line{number, text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, ErrLongLine) {
				return
			}
		}
	}()
	return lines
}

// Batches gathers the lines of r: up to most of them, or 16 MiB, or those that came
// before a pause of 50 ms. When ctx ends, so does it, without the lines that it had
// gathered. Blank lines are left out.
func Batches(ctx context.Context, r io.Reader, most int) iter.Seq[[]Line] {
	return func(yield func([]Line) bool) {
		lines := readLines(ctx, r)
		idle := time.NewTimer(pause)
		defer idle.Stop()
		var batch []Line
		weight := 0
		for ctx.Err() == nil {
			more, full := true, true
			select {
			case <-ctx.Done():
				return
			case <-idle.C:
			case l, open := <-lines:
				if more = open; open {
					batch, weight = append(batch, l), weight+len(l.Text)
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
		return nil, ErrLongLine
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}
