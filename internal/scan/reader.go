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
	tookTwo [2]time.Duration // the server's times of such reads, the latest first
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

// Read calls do with the id to start at. It returns how many messages it found and
// how long the server took. When it finds less than n, Read may call it again from
// the first id.
func (r *Reader) Read(n int, do func(first int64, n int) (found int, took time.Duration, err error)) error {
	first, goOn := r.start(time.Now())
	found, took, err := do(first, n)
	if err == nil && found < n && first > 0 && goOn {
		first = 0
		_, took, err = do(first, n-found)
	}
	if first == 0 && err == nil {
		r.mu.Lock()
		r.readAt, r.tookTwo[1], r.tookTwo[0] = time.Now(), r.tookTwo[0], took
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
