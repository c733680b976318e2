package postgres

import (
	"bufio"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed guard.sh
var guardScript string

const (
	answerLimit = 30 * time.Second // from the start of the server to its first answer
	attempt     = 2 * time.Second  // for one try to get that answer
)

// guard is a shell in a separate session that starts a server. When its standard
// input ends, it stops the server and removes the directory. Only this process holds
// the other end of that pipe, so the kernel closes it however this process ends.
type guard struct {
	name     string // of the server's directory, and of its container
	password string // of the server's superuser

	stdin   io.Closer
	serving chan struct{} // closed when the server process has been started
	done    chan struct{} // closed when the guard has ended
	log     string        // the last lines of the server's log; valid after done
	err     error         // the guard's error; valid after done
	once    sync.Once
}

// guardSpec describes the server that a guard starts. None of it becomes a part of the
// script's text.
type guardSpec struct {
	script   string // local.sh or docker.sh
	password string // of the server's superuser
	args     []string
	env      []string
	attr     *syscall.SysProcAttr
}

func (m machine) startGuard(spec guardSpec) (*guard, error) {
	g := &guard{
		name:     "pgmq-postgres-" + strings.ToLower(rand.Text()),
		password: spec.password,
		serving:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	cmd := exec.Command(m.shell, "-c", guardScript+spec.script, "guard", g.name, m.temps[0], m.temps[1])
	cmd.Args = append(cmd.Args, spec.args...)
	cmd.Env = spec.env
	cmd.SysProcAttr = spec.attr
	cmd.Dir = "/" // the server's user may have no access to our directory
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g.stdin = stdin
	go g.follow(cmd, stdout)

	// Other processes cannot read standard input, unlike arguments and environment.
	if _, err := io.WriteString(stdin, g.password+"\n"); err != nil {
		return nil, errors.Join(err, g.stop())
	}
	return g, nil
}

// follow reads the guard's output until it ends: "serving", then the last lines of
// the log.
func (g *guard) follow(cmd *exec.Cmd, stdout io.Reader) {
	defer close(g.done)
	r := bufio.NewReader(stdout)
	first, _ := r.ReadString('\n')
	if first == "serving\n" {
		close(g.serving)
		first = ""
	}
	rest, _ := io.ReadAll(r)
	var log []string
	for line := range strings.Lines(strings.ReplaceAll(first+string(rest), g.password, "xxxxx")) {
		if line = strings.TrimSpace(line); line != "" {
			log = append(log, line)
		}
	}
	g.log = strings.Join(log, "; ")
	g.err = cmd.Wait()
}

// stop ends the guard and everything that it started.
func (g *guard) stop() error {
	g.once.Do(func() { g.stdin.Close() })
	<-g.done
	if g.err != nil {
		return fmt.Errorf("stop the private Postgres %s: %w: %s", g.name, g.err, g.log)
	}
	return nil
}

// waitFor returns when the server gives its first answer. On an error it stops
// everything, and the error contains the last lines of the server's log. prepare
// limits the time before the start of the server.
func (g *guard) waitFor(ctx context.Context, prepare time.Duration, answer func(context.Context) error) error {
	err := g.first(ctx, prepare, answer)
	if err == nil {
		return nil
	}
	stopErr := g.stop()
	switch {
	case stopErr != nil:
		return fmt.Errorf("%w; %w", err, stopErr)
	case ctx.Err() == nil && g.log != "":
		return fmt.Errorf("%w: %s", err, g.log)
	default:
		return err
	}
}

func (g *guard) first(ctx context.Context, prepare time.Duration, answer func(context.Context) error) error {
	select {
	case <-g.serving:
	case <-g.done:
		return errors.New("the server could not be prepared")
	case <-time.After(prepare):
		return fmt.Errorf("the server was not prepared within %v", prepare)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	limit := time.After(answerLimit)
	for {
		try, cancel := context.WithTimeout(ctx, attempt)
		err := answer(try)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-g.done:
			return errors.New("the server ended before it answered")
		case <-limit:
			return fmt.Errorf("the server did not answer within %v (%w)", answerLimit, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
