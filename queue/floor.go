package queue

import (
	"sync"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// lateTime is how long a floor waits for transactions that were running: what one
// of them sent may have an id below it. What comes later still is found by a look
// below.
const lateTime = 200 * time.Millisecond

// floor is the id at which reading a queue starts, so that it does not walk past
// what was read before: hidden rows, and dead ones, which a long transaction keeps
// from being cleaned up. Below it nothing was visible. What comes back there must
// be looked for.
type floor struct {
	at      int64
	waiting int64 // will be the floor, when the transactions before until have ended; 0 for none
	until   int64
	since   time.Time
	passed  int64 // will wait next
}

// pass notes what a read or a look from the floor on found: nothing visible below
// id, of what was sent by transactions that had ended. Those before oldest had,
// those from next on had not begun to send.
func (f *floor) pass(id, oldest, next int64) {
	now := time.Now()
	if f.waiting > 0 && (oldest >= f.until || now.Sub(f.since) > lateTime) {
		f.at = max(f.at, min(f.waiting, id))
		if id >= f.waiting {
			f.waiting = 0
		}
	}
	// What was passed before now waits for all that run now: a sender draws the ids
	// of its messages a moment before it has one of its own.
	if f.waiting == 0 && f.passed > f.at {
		f.waiting, f.until, f.since = f.passed, next, now
	}
	f.passed = max(f.passed, id)
}

// read notes the rows of a read from the floor on. When it was short, nothing else
// was visible.
func (f *floor) read(rows []db.ReadRow, short bool) {
	if len(rows) == 0 {
		return
	}
	id := int64(0)
	for _, row := range rows {
		id = max(id, row.MsgID+1)
	}
	if short {
		id = max(id, f.passed)
	}
	f.pass(id, rows[0].OldestRunning, rows[0].NextID)
}

// lower has reading start at an earlier id.
func (f *floor) lower(id int64) { *f = floor{at: min(f.at, id)} }

const (
	// lookAgain is how often a busy reader looks below its floor.
	lookAgain = 250 * time.Millisecond
	// dearRead is a read from the beginning that is not repeated at once.
	dearRead = 50 * time.Millisecond
)

// restAfter is how long to rest after a look, so that looks are a small part of
// what a reader does.
func restAfter(cost time.Duration) time.Duration {
	return max(0, min(costly*(cost-anyLook), quietTime))
}

// readFloor is the floor of Read and Pop, shared by all who call them. They use it
// when it takes time to read from the beginning, else not: then what they return
// is the oldest, always.
type readFloor struct {
	mu     sync.Mutex
	floor  floor
	looked time.Time        // when it was last read from the beginning
	took   [2]time.Duration // how long that took, the latest first
}

// start returns where a read begins, and whether one that finds less than it asks
// for may go on below.
func (r *readFloor) start(now time.Time) (first int64, goOn bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The lesser of two: one can be slow for other reasons.
	cost, since := min(r.took[0], r.took[1]), now.Sub(r.looked)
	goOn = cost < dearRead || since > restAfter(cost)
	if cost < anyLook || goOn && since > lookAgain {
		return 0, goOn
	}
	return r.floor.at, goOn
}

// read calls do with the id to start at. When it finds less than n, below the
// floor may be more.
func (r *readFloor) read(n int, do func(first int64, n int) (found int, err error)) error {
	now := time.Now()
	first, goOn := r.start(now)
	found, err := do(first, n)
	if err == nil && found < n && first > 0 && goOn {
		first, now = 0, time.Now()
		_, err = do(first, n-found)
	}
	if first == 0 && err == nil {
		r.mu.Lock()
		r.looked, r.took[1], r.took[0] = time.Now(), r.took[0], time.Since(now)
		r.mu.Unlock()
	}
	return err
}

// forget has the next read begin at the beginning.
func (r *readFloor) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = time.Time{}
}

// note notes the rows of a read.
func (r *readFloor) note(rows []db.ReadRow, short bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor.read(rows, short)
}
