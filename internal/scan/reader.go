package scan

import (
	"sync"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// Reader is where Read and Pop start. All callers of a queue share one. It uses
// the low-water mark only while a read from the first id is slow; otherwise every
// read returns the oldest messages.
type Reader struct {
	mu      sync.Mutex
	low     LowWater
	readAt  time.Time        // of the last read from the first id
	tookTwo [2]time.Duration // what such reads took, the latest first
}

// start returns where a read begins, and whether one that finds less than it asks
// for may go on below.
func (r *Reader) start(now time.Time) (first int64, goOn bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The lesser of two: a single read can be slow for other reasons.
	took, since := min(r.tookTwo[0], r.tookTwo[1]), now.Sub(r.readAt)
	goOn = took < slowRead || since > RestAfter(took)
	if took < cheap || goOn && since > sweepInterval {
		return 0, goOn
	}
	return r.low.mark, goOn
}

// Read calls do with the id to start at. When do finds less than n, Read may call
// it again from the first id.
func (r *Reader) Read(n int, do func(first int64, n int) (found int, err error)) error {
	now := time.Now()
	first, goOn := r.start(now)
	found, err := do(first, n)
	if err == nil && found < n && first > 0 && goOn {
		first, now = 0, time.Now()
		_, err = do(first, n-found)
	}
	if first == 0 && err == nil {
		r.mu.Lock()
		r.readAt, r.tookTwo[1], r.tookTwo[0] = time.Now(), r.tookTwo[0], time.Since(now)
		r.mu.Unlock()
	}
	return err
}

// Restart has the next read begin at the first id.
func (r *Reader) Restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readAt = time.Time{}
}

// Note notes the rows of a read.
func (r *Reader) Note(rows []db.ReadRow, foundLess bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.low.Note(rows, foundLess)
}
