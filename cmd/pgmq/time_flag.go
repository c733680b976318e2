package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// timeFlag is the value of a flag for a point in time: a time, or how long ago. The
// zero value is none.
type timeFlag struct {
	text string
	at   time.Time
	ago  time.Duration
}

// Set parses the value of the flag.
func (f *timeFlag) Set(text string) error {
	*f = timeFlag{text: text}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			f.at = at
			return nil
		}
	}
	if days, err := strconv.ParseFloat(strings.TrimSuffix(text, "d"), 64); err == nil && strings.HasSuffix(text, "d") {
		f.ago = time.Duration(days * 24 * float64(time.Hour))
	} else if f.ago, err = time.ParseDuration(text); err != nil {
		return errors.New("it must be a time, such as 30d, 12h, 2026-01-31 or 2026-01-31T15:04:05Z")
	}
	if f.ago < 0 {
		return errors.New("how long ago must not be negative")
	}
	return nil
}

func (f *timeFlag) String() string { return f.text }

// Type is its name in the help.
func (f *timeFlag) Type() string { return "TIME|AGO" }

// by returns the time by a clock that says now; zero for none.
func (f *timeFlag) by(now time.Time) time.Time {
	if f.text != "" && f.at.IsZero() {
		return now.Add(-f.ago)
	}
	return f.at
}
