package netfault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bouncer is a PgBouncer in front of a server.
type Bouncer struct {
	Port int

	dir   string
	stdin io.Closer // holds it alive
	done  chan struct{}
	log   lockedBuffer
}

// lockedBuffer is a buffer that one goroutine writes and another reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// NewBouncer prepares a PgBouncer with a pool mode in front of a server, all of
// whose databases it serves, to any client. Start starts it.
func NewBouncer(server *pgconn.Config, mode string) (*Bouncer, error) {
	dir, err := os.MkdirTemp("", "pgmq-pgbouncer-")
	if err != nil {
		return nil, err
	}
	b := &Bouncer{dir: dir}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err == nil {
		b.Port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		err = os.WriteFile(b.ini(), fmt.Appendf(nil, `[databases]
* = host=%s port=%d user=%s password='%s'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
max_client_conn = 200
`, server.Host, server.Port, server.User, strings.ReplaceAll(server.Password, "'", "''"), b.Port, mode), 0o600)
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return b, nil
}

func (b *Bouncer) ini() string { return filepath.Join(b.dir, "pgbouncer.ini") }

// Start starts it, and returns when it answers.
func (b *Bouncer) Start(ctx context.Context) error {
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		binary = "/usr/sbin/pgbouncer" // in no user's PATH
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("PgBouncer is needed (Debian: apt-get install pgbouncer): %w", err)
	}
	args := []string{binary, b.ini()}
	if os.Geteuid() == 0 {
		args = []string{binary, "-u", "nobody", b.ini()} // it does not run as root
	}
	// However this process ends, standard input ends, and the shell kills it.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `"$@" </dev/null & cat >/dev/null; kill -s KILL $!; wait`, "sh"}, args...)...)
	cmd.Stdout, cmd.Stderr = &b.log, &b.log
	if b.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	b.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	for {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", b.Port), time.Second)
		if err == nil {
			conn.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PgBouncer does not answer: %w: %s", err, b.Log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Kill ends it as kill -9 does; Start starts it again.
func (b *Bouncer) Kill() {
	if b.done == nil {
		return
	}
	b.stdin.Close()
	<-b.done
}

// Remove ends it for good.
func (b *Bouncer) Remove() {
	b.Kill()
	os.RemoveAll(b.dir)
}

// Log returns its output so far.
func (b *Bouncer) Log() string { return b.log.String() }
