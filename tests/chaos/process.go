package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a worker, through all its restarts.
type process struct {
	a       *arena
	consume bool
	n       int // among those of its kind
	lives   int

	cmd        *exec.Cmd
	stdin      io.Closer
	complaints *bytes.Buffer
	ended      chan struct{} // closed when it is gone and all that it wrote was read
	err        error         // of its end
}

// start starts the process, for the first time or again.
func (p *process) start() error {
	p.lives++
	kind := "p"
	if p.consume {
		kind = "c"
	}
	spec := workerSpec{
		Name: fmt.Sprintf("%s%d-%d", kind, p.n, p.lives), URL: p.a.url, Seed: p.a.rand.Uint64(), Consume: p.consume, Conns: p.a.conns,
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	p.cmd = exec.Command(p.a.binary)
	p.cmd.Env = append(os.Environ(), workerVar+"="+string(text))
	p.cmd.Env = append(p.cmd.Env, p.a.env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ctrl-C is for the arena
	p.complaints = &bytes.Buffer{}
	p.cmd.Stderr = p.complaints
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.ended = ended
	go func() {
		defer close(ended)
		lines := bufio.NewReader(stdout)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				break // kill -9 cut off the rest of the line
			}
			p.a.record(line)
		}
		p.err = p.cmd.Wait()
	}()
	return nil
}

func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// kill is kill -9.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	<-p.ended
	return err
}

// patience is the time that a worker has to end: for a handler, an operation and an outage.
const patience = 30 * time.Second

// end asks it to end, and waits for that.
func (p *process) end() error {
	if err := p.signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.kill()
		return fmt.Errorf("worker %s does not end within %v", p.cmd.Args[0], patience)
	}
	if p.err != nil {
		return fmt.Errorf("a worker ended by itself: %w: %s", p.err, p.complaints)
	}
	return nil
}
