package history

import (
	"encoding/json"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the machine's monotonic clock, in nanoseconds.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // no machine is without it
	}
	return t.Nano()
}

// Recorder writes the events of one process. It is safe for concurrent use.
type Recorder struct {
	proc string
	*recording
}

// recording is the state that the recorders of one history share.
type recording struct {
	n   atomic.Int64
	mu  sync.Mutex
	out io.Writer
	err error
}

// NewRecorder writes to out, one call for each line. So a process that is killed
// leaves whole lines, if out is a pipe and they are shorter than 4 KiB.
func NewRecorder(out io.Writer, proc string) *Recorder {
	return &Recorder{proc, &recording{out: out}}
}

// As returns a recorder of another process, into the same history.
func (r *Recorder) As(proc string) *Recorder { return &Recorder{proc, r.recording} }

// Note writes an event that happened now, or from e.Begin until now.
func (r *Recorder) Note(e Event) {
	e.End = Now()
	if e.Begin == 0 {
		e.Begin = e.End
	}
	r.write(e)
}

// Start writes the beginning of an operation that may have an effect, and returns
// it, for Finish.
func (r *Recorder) Start(e Event) Event {
	e.N, e.Begin, e.Outcome = r.n.Add(1), Now(), Unknown
	r.write(e)
	return e
}

// Finish writes how an operation ended.
func (r *Recorder) Finish(e Event, outcome Outcome, err error) {
	e.End, e.Outcome = Now(), outcome
	if err != nil {
		e.Err = err.Error()
	}
	r.write(e)
}

// Next returns a number that no other operation of this process has.
func (r *Recorder) Next() int64 { return r.n.Add(1) }

// Err is the first error of writing.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Recorder) write(e Event) {
	e.Proc, e.Wall = r.proc, time.Now().Round(0)
	line, err := json.Marshal(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		_, err = r.out.Write(append(line, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}
