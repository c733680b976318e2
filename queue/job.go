package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// job is one delivery of a message, from its fetch until it is settled.
type job struct {
	c       *consumer
	row     db.Message
	fetched time.Time

	// What the worker found.
	undecoded bool
	err       error
	act       act
	after     time.Duration // of actRetry
	reason    Reason        // of actDeadLetter and actDiscard
	settled   bool          // by its receipt; else the lease had passed to another
	unsettled error         // why it could not even be tried
	tried     bool          // to record it, by an attempt that failed and may have worked
	began     time.Time
	took      time.Duration

	// Guarded by leases.mu.
	stage  stage
	since  time.Time // when it got there
	until  time.Time // the lease holds until then at least, by this process's clock
	lost   error     // why it does not any more
	cancel context.CancelCauseFunc
}

// parcel is what one call of a handler is for: one message, or a batch.
type parcel []*job

// stage is where a job is in the consumer.
type stage int

const (
	waiting stage = iota // fetched, and no worker has it yet
	running              // with a handler
	leaving              // its handler is done, or its row is locked by our own transaction
)

// leases are the messages that a consumer holds.
type leases struct {
	mu   sync.Mutex
	jobs map[*job]struct{}
}

func (l *leases) add(jobs []*job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jobs == nil {
		l.jobs = map[*job]struct{}{}
	}
	for _, j := range jobs {
		l.jobs[j] = struct{}{}
	}
}

func (l *leases) remove(jobs []*job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		delete(l.jobs, j)
	}
}

// move puts jobs into a stage; cancel is what ends their handler's ctx.
func (l *leases) move(jobs []*job, to stage, cancel context.CancelCauseFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		j.stage, j.since, j.cancel = to, time.Now(), cancel
	}
}

// lose takes a lease for lost, unless its job is past caring.
func (l *leases) lose(j *job, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held := l.jobs[j]; !held || j.stage == leaving || j.lost != nil {
		return
	}
	j.lost = why
	if j.cancel != nil {
		j.cancel(why)
	}
}

func (l *leases) whyLost(j *job) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return j.lost
}

// renewed notes that leases hold for longer.
func (l *leases) renewed(jobs []*job, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		j.until = until
	}
}

// receipt returns what names this delivery.
func (j *job) receipt() (id int64, r receipt) { return j.row.MsgID, receiptOf(j.row) }

var errMaxReads = errors.New("the last delivery that MaxReads allows did not end, or its result could not be recorded")

// decide says what becomes of a job after its handler.
func (j *job) decide() {
	o, reads := j.c.o, int(j.row.ReadCt)
	v, told := errors.AsType[*verdict](j.err)
	switch {
	case j.settled:
		j.act = actNothing
	case j.err == nil:
		j.act = o.done
	case j.undecoded:
		j.act, j.reason = actDeadLetter, ReasonUndecodable
	case errors.Is(j.err, errMaxReads):
		j.act, j.reason = actDeadLetter, ReasonMaxReads
	case told && v.act == actDeadLetter:
		j.act, j.reason = actDeadLetter, ReasonDeadLetter
	case told && v.act == actDiscard:
		j.act, j.reason = actDiscard, ReasonDiscarded
	case o.maxReads > 0 && reads >= o.maxReads:
		j.act, j.reason = actDeadLetter, ReasonMaxReads
	case told:
		j.act, j.after = actRetry, v.after
	case j.c.handlers.Err() != nil && errors.Is(j.err, context.Canceled):
		j.act = actRetry // we interrupted it; another may go on at once
	default:
		j.act, j.after = actRetry, max(o.backoff(reads), 0)
	}
}

// lapsed is the loss of a lease that could not be extended.
func lapsed(why string) error { return fmt.Errorf("%w: %s", ErrLeaseLost, why) }
