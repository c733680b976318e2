package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// maxLine is the longest line that is carried.
const maxLine = 16 << 20

var errLongLine = errors.New("longer than 16 MiB")

// line is one line of the input.
type line struct {
	number int // from 1
	text   []byte
	err    error // errLongLine, or what reading ended with
}

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
