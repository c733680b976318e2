// Package scan decides where in a queue to read next.
//
// A queue's table is read by rising ids. A [LowWater] mark is the id below which
// nothing is visible, so that a read does not walk past hidden rows, or past dead
// ones that a long transaction keeps from vacuum. Messages come back below the
// mark when a lease ends or a delay is over. A [Schedule] remembers when, from
// scans; its sweep goes through the ids below the mark step by step. A [Reader]
// does the same in a simpler form for callers that read now and then.
package scan

import (
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// LowWater is the id at which a read starts. Nothing below it was visible. The
// zero value is no mark.
type LowWater struct {
	mark      int64
	candidate int64 // the next mark, once the transactions below until have ended; 0 for none
	until     int64
	since     time.Time
	passed    int64 // the next candidate
}

// Mark returns the id at which a read starts.
func (w *LowWater) Mark() int64 { return w.mark }

// Pass notes that a read or a scan from the mark on found no visible message below id,
// among those of transactions that had ended. Transactions below oldestRunning had
// ended; those from nextID on had not begun to send.
func (w *LowWater) Pass(id, oldestRunning, nextID int64) {
	now := time.Now()
	if w.candidate > 0 && (oldestRunning >= w.until || now.Sub(w.since) > commitGrace) {
		w.mark = max(w.mark, min(w.candidate, id))
		if id >= w.candidate {
			w.candidate = 0
		}
	}
	// The ids passed before wait for all transactions that run now: a sender
	// draws the ids of its messages a moment before it has a transaction id.
	if w.candidate == 0 && w.passed > w.mark {
		w.candidate, w.until, w.since = w.passed, nextID, now
	}
	w.passed = max(w.passed, id)
}

// Note notes the rows of a read from the mark on. After a read that found less
// than it asked for, nothing else was visible.
func (w *LowWater) Note(rows []db.ReadRow, foundLess bool) {
	if !slices.ContainsFunc(rows, func(row db.ReadRow) bool { return row.Found }) {
		return
	}
	id := int64(0)
	for _, row := range rows {
		id = max(id, row.MsgID+1)
	}
	if foundLess {
		id = max(id, w.passed)
	}
	w.Pass(id, rows[0].OldestRunning, rows[0].NextID)
}

// lower has reads start at an earlier id.
func (w *LowWater) lower(id int64) { *w = LowWater{mark: min(w.mark, id)} }
