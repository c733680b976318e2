package worker

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	osexec "os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Process is a worker that a test started.
type Process struct {
	t      testing.TB
	name   string // application_name of its connections
	cmd    *osexec.Cmd
	ended  chan struct{} // closed when it is gone and all that it wrote was read
	err    error         // of its end
	Killed time.Time     // just before kill -9; zero without

	mu    sync.Mutex
	lines []Line
}

// Start starts a consumer process. It is killed when the test ends.
func Start(t testing.TB, spec Spec) *Process {
	t.Helper()
	if spec.URL == "" {
		spec.URL = pgtest.URL(pgtest.Pool().Config().ConnConfig.Database)
	}
	spec.Name = "worker " + rand.Text()
	text, err := json.Marshal(spec)
	check.OK(t, err)
	p := &Process{t: t, name: spec.Name, cmd: osexec.Command(os.Args[0]), ended: make(chan struct{})}
	// With the race detector a process would sleep before it ends.
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", workerVar+"="+string(text))
	var complaints bytes.Buffer
	p.cmd.Stderr = &complaints
	stdin, err := p.cmd.StdinPipe() // ends when the tests do
	check.OK(t, err)
	stdout, err := p.cmd.StdoutPipe()
	check.OK(t, err)
	check.OK(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			var l Line
			if json.Unmarshal(in.Bytes(), &l) == nil {
				p.mu.Lock()
				p.lines = append(p.lines, l)
				p.mu.Unlock()
			}
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		check.Hold(p.ended)
		_ = stdin.Close()
		if t.Failed() && complaints.Len() > 0 {
			t.Logf("a worker wrote: %s", complaints.String())
		}
	})
	return p
}

// Signal sends it a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	check.OK(p.t, p.cmd.Process.Signal(s))
}

// Free has all handlers end, those that are still to begin too.
func (p *Process) Free() {
	p.t.Helper()
	p.Signal(syscall.SIGUSR1)
}

// Kill is kill -9.
func (p *Process) Kill() {
	p.t.Helper()
	p.Killed = time.Now()
	p.Signal(syscall.SIGKILL)
	check.Receive(p.t, p.ended)
}

// Exit waits for its end and returns its exit code.
func (p *Process) Exit() int {
	p.t.Helper()
	check.Receive(p.t, p.ended)
	var exit *osexec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	check.OK(p.t, p.err)
	return 0
}

// All returns the lines so far.
func (p *Process) All() []Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// Of returns the lines of one kind so far, of the given messages or else of all.
func (p *Process) Of(what string, ids ...int64) []Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Line
	for _, l := range p.lines {
		if l.What == what && (len(ids) == 0 || slices.Contains(ids, l.ID)) {
			found = append(found, l)
		}
	}
	return found
}

// First waits for a line about a message.
func (p *Process) First(what string, id int64) Line {
	p.t.Helper()
	var found []Line
	check.Eventually(p.t, "a process wrote: "+what, func() bool {
		found = p.Of(what, id)
		return len(found) > 0
	})
	return found[0]
}

// waiting tells whether the process waits for messages of a queue.
func (p *Process) waiting(q string) bool {
	p.t.Helper()
	return check.Value[bool](p.t, pgtest.Pool(), `
		SELECT EXISTS (
			SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE locktype = 'advisory' AND mode = 'ShareLock' AND application_name = $1
				AND (classid::bigint << 32 | objid::bigint) = pgmq._subscription_lock_key('q_' || $2)
		)`, p.name, q)
}

// Idle waits until the process waits for messages of the queues.
func (p *Process) Idle(queues ...string) {
	p.t.Helper()
	for _, q := range queues {
		check.Eventually(p.t, "a consumer process is idle", func() bool { return p.waiting(q) })
	}
}

// SettledOnce fails the test unless exactly one process settled a message, and
// returns it.
func SettledOnce(t testing.TB, id int64, all ...*Process) *Process {
	t.Helper()
	var by []*Process
	check.Eventually(t, "a message is settled", func() bool {
		by = nil
		for _, p := range all {
			for range p.Of(string(queue.EventSettled), id) {
				by = append(by, p)
			}
		}
		return len(by) > 0
	})
	check.Equal(t, "times settled", len(by), 1)
	return by[0]
}
