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
	told := func(to Disposition, err error) error { return &Outcome{Disposition: to, Err: err, After: time.Minute} }
	last := db.Message{ReadCt: 3}
	for name, c := range map[string]struct {
		delivery  Delivery
		to        Disposition
		after     time.Duration
		uncounted bool
		reason    string
	}{
		"done":                       {Delivery{}, Archive, 0, false, ""},
		"settled in its transaction": {Delivery{settled: true}, None, 0, false, ""},
		"failed":                     {Delivery{Err: failed, Row: db.Message{ReadCt: 2}}, Retry, 2 * time.Second, false, ""},
		"failed for the last time":   {Delivery{Err: failed, Row: last}, DeadLetter, 0, false, ReasonMaxReads},
		"read too often before":      {Delivery{Err: errMaxReads, Row: db.Message{ReadCt: 4}}, DeadLetter, 0, false, ReasonMaxReads},
		"retry in a time":            {Delivery{Err: told(Retry, nil)}, Retry, time.Minute, false, ""},
		"retry, but too often":       {Delivery{Err: told(Retry, nil), Row: last}, DeadLetter, 0, false, ReasonMaxReads},
		"given up":                   {Delivery{Err: fmt.Errorf("wrapped: %w", told(DeadLetter, nil))}, DeadLetter, 0, false, ReasonDeadLetter},
		"discarded":                  {Delivery{Err: told(Discard, nil)}, Discard, 0, false, ReasonDiscarded},
		"undecodable":                {Delivery{Undecodable: true, Err: failed}, DeadLetter, 0, false, ReasonUndecodable},
		"canceled by itself":         {Delivery{Err: context.Canceled, Row: last}, DeadLetter, 0, false, ReasonMaxReads},
		"the transaction is over":    {Delivery{Err: failed, txOver: true}, DeadLetter, 0, false, ReasonTxEnded},
		"over, and it returned nil":  {Delivery{txOver: true}, DeadLetter, 0, false, ReasonTxEnded},
		// A delivery that we ended is not the message's failure, for any result of the handler.
		"stopped":                         {Delivery{Err: context.Canceled, stopped: true, Row: last}, Retry, 0, true, ""},
		"stopped, with an error":          {Delivery{Err: failed, stopped: true, Row: last}, Retry, 0, true, ""},
		"stopped, and gives up for it":    {Delivery{Err: told(DeadLetter, ErrGraceExpired), stopped: true, Row: last}, Retry, 0, true, ""},
		"stopped, and discards for it":    {Delivery{Err: told(Discard, context.Canceled), stopped: true, Row: last}, Retry, 0, true, ""},
		"stopped, and gives up":           {Delivery{Err: told(DeadLetter, failed), stopped: true}, DeadLetter, 0, false, ReasonDeadLetter},
		"stopped, and wants it later":     {Delivery{Err: told(Retry, nil), stopped: true, Row: last}, Retry, time.Minute, true, ""},
		"stopped, and done":               {Delivery{stopped: true}, Archive, 0, false, ""},
		"the transaction could not begin": {Delivery{Err: failed, ours: true, Row: last}, Retry, 3 * time.Second, true, ""},
	} {
		d := c.delivery
		if d.decide(o); d.disposition != c.to || d.after != c.after || d.uncounted != c.uncounted || d.reason != c.reason {
			t.Errorf("%s: %v after %v, uncounted: %v, for %q", name, d.disposition, d.after, d.uncounted, d.reason)
		}
	}
}
