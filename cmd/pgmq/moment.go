package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// moment is a flag's point in time: one that is given, or so long ago. The zero
// value is none.
type moment struct {
	text string
	at   time.Time
	ago  time.Duration
}

// Set takes what a flag says.
func (m *moment) Set(text string) error {
	*m = moment{text: text}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			m.at = at
			return nil
		}
	}
	if days, err := strconv.ParseFloat(strings.TrimSuffix(text, "d"), 64); err == nil && strings.HasSuffix(text, "d") {
		m.ago = time.Duration(days * 24 * float64(time.Hour))
	} else if m.ago, err = time.ParseDuration(text); err != nil {
		return errors.New("a time is wanted, such as 30d, 12h, 2026-01-31 or 2026-01-31T15:04:05Z")
	}
	if m.ago < 0 {
		return errors.New("so long ago is not below 0")
	}
	return nil
}

func (m *moment) String() string { return m.text }

// Type is how the help calls it.
func (m *moment) Type() string { return "TIME|AGO" }

// by returns the time by a clock; zero for none.
func (m *moment) by(now time.Time) time.Time {
	if m.text != "" && m.at.IsZero() {
		return now.Add(-m.ago)
	}
	return m.at
}
