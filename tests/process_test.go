package tests

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
)

// process is a worker that a test started.
type process struct {
	t      testing.TB
	name   string // application_name of its connections
	cmd    *osexec.Cmd
	ended  chan struct{} // closed when it is gone and all that it wrote was read
	err    error         // of its end
	killed time.Time     // just before kill -9; zero without

	mu    sync.Mutex
	lines []line
}

// worker starts a consumer process. It is killed when the test ends.
func worker(t testing.TB, spec workerSpec) *process {
	t.Helper()
	if spec.URL == "" {
		spec.URL = pgtest.URL(pgtest.Pool().Config().ConnConfig.Database)
	}
	spec.Name = "worker " + rand.Text()
	text, err := json.Marshal(spec)
	ok(t, err)
	p := &process{t: t, name: spec.Name, cmd: osexec.Command(os.Args[0]), ended: make(chan struct{})}
	// With the race detector a process would sleep before it ends.
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", workerVar+"="+string(text))
	var complaints bytes.Buffer
	p.cmd.Stderr = &complaints
	stdin, err := p.cmd.StdinPipe() // ends when the tests do
	ok(t, err)
	stdout, err := p.cmd.StdoutPipe()
	ok(t, err)
	ok(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			var l line
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
		<-p.ended
		_ = stdin.Close()
		if t.Failed() && complaints.Len() > 0 {
			t.Logf("a worker wrote: %s", complaints.String())
		}
	})
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	ok(p.t, p.cmd.Process.Signal(s))
}

// kill is kill -9.
func (p *process) kill() {
	p.t.Helper()
	p.killed = time.Now()
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// exit waits for its end and returns its exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("the process does not end")
	}
	var exit *osexec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	ok(p.t, p.err)
	return 0
}

// of returns what happened of one kind so far, to the given messages or else to all.
func (p *process) of(what string, ids ...int64) []line {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []line
	for _, l := range p.lines {
		if l.What == what && (len(ids) == 0 || slices.Contains(ids, l.ID)) {
			found = append(found, l)
		}
	}
	return found
}

// first waits for what happens to a message.
func (p *process) first(what string, id int64) line {
	p.t.Helper()
	var found []line
	eventually(p.t, "a process wrote: "+what, func() bool {
		found = p.of(what, id)
		return len(found) > 0
	})
	return found[0]
}

// waiting tells whether the process waits for messages of a queue.
func (p *process) waiting(q string) bool {
	p.t.Helper()
	return value[bool](p.t, pgtest.Pool(), `
		SELECT EXISTS (
			SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE locktype = 'advisory' AND mode = 'ShareLock' AND application_name = $1
				AND (classid::bigint << 32 | objid::bigint) = pgmq._subscription_lock_key('q_' || $2)
		)`, p.name, q)
}

// idle waits until the process waits for messages of the queues.
func (p *process) idle(queues ...string) {
	p.t.Helper()
	for _, q := range queues {
		eventually(p.t, "a consumer process is idle", func() bool { return p.waiting(q) })
	}
}

// percentile of durations, which it sorts.
func percentile(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*percent/100]
}

// settledOnce fails the test unless exactly one process settled a message, and
// returns it.
func settledOnce(t testing.TB, id int64, all ...*process) *process {
	t.Helper()
	var by []*process
	eventually(t, "a message is settled", func() bool {
		by = nil
		for _, p := range all {
			for range p.of(string(queue.Settled), id) {
				by = append(by, p)
			}
		}
		return len(by) > 0
	})
	equal(t, "times settled", len(by), 1)
	return by[0]
}
