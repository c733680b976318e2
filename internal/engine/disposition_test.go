package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

func TestDecideSaysWhatBecomesOfAMessage(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	o := Options{
		Done:     Archive,
		MaxReads: 3,
		Backoff:  func(reads int) time.Duration { return time.Duration(reads) * time.Second },
	}
	for name, c := range map[string]struct {
		delivery    Delivery
		interrupted bool
		to          Disposition
		after       time.Duration
		reason      string
	}{
		"done":                       {Delivery{}, false, Archive, 0, ""},
		"settled in its transaction": {Delivery{settled: true}, false, None, 0, ""},
		"failed":                     {Delivery{Err: failed, Row: db.Message{ReadCt: 2}}, false, Retry, 2 * time.Second, ""},
		"failed for the last time":   {Delivery{Err: failed, Row: db.Message{ReadCt: 3}}, false, DeadLetter, 0, ReasonMaxReads},
		"read too often before":      {Delivery{Err: errMaxReads, Row: db.Message{ReadCt: 4}}, false, DeadLetter, 0, ReasonMaxReads},
		"retry in a time":            {Delivery{Err: &Outcome{Disposition: Retry, After: time.Minute}}, false, Retry, time.Minute, ""},
		"retry, but too often":       {Delivery{Err: &Outcome{Disposition: Retry}, Row: db.Message{ReadCt: 3}}, false, DeadLetter, 0, ReasonMaxReads},
		"given up":                   {Delivery{Err: fmt.Errorf("wrapped: %w", &Outcome{Disposition: DeadLetter})}, false, DeadLetter, 0, ReasonDeadLetter},
		"discarded":                  {Delivery{Err: &Outcome{Disposition: Discard}}, false, Discard, 0, ReasonDiscarded},
		"undecodable":                {Delivery{Undecodable: true, Err: failed}, false, DeadLetter, 0, ReasonUndecodable},
		"interrupted":                {Delivery{Err: context.Canceled, Row: db.Message{ReadCt: 1}}, true, Retry, 0, ""},
		"canceled by itself":         {Delivery{Err: context.Canceled, Row: db.Message{ReadCt: 1}}, false, Retry, time.Second, ""},
		"done, though interrupted":   {Delivery{}, true, Archive, 0, ""},
	} {
		d := c.delivery
		if d.decide(o, c.interrupted); d.disposition != c.to || d.after != c.after || d.reason != c.reason {
			t.Errorf("%s: %v after %v for %q", name, d.disposition, d.after, d.reason)
		}
	}
}
