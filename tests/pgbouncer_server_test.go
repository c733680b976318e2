package tests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// bouncer is a PgBouncer in front of the tests' server.
type bouncer struct {
	t    testing.TB
	dir  string
	port int

	stdin io.Closer // holds it alive
	done  chan struct{}
	log   lockedBuffer
}

// lockedBuffer is what one goroutine writes and another reads.
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

// startBouncer starts a PgBouncer, as the test's own process, with a pool mode.
func startBouncer(t testing.TB, mode string) *bouncer {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgmq-pgbouncer-")
	ok(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	ok(t, err)
	b := &bouncer{t: t, dir: dir, port: l.Addr().(*net.TCPAddr).Port}
	l.Close()

	server := pgtest.Pool().Config().ConnConfig
	ok(t, os.WriteFile(b.ini(), fmt.Appendf(nil, `[databases]
* = host=%s port=%d user=%s password='%s'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
max_client_conn = 200
`, server.Host, server.Port, server.User, strings.ReplaceAll(server.Password, "'", "''"), b.port, mode), 0o600))
	b.start()
	t.Cleanup(func() {
		b.kill()
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	return b
}

func (b *bouncer) ini() string { return filepath.Join(b.dir, "pgbouncer.ini") }

func (b *bouncer) start() {
	b.t.Helper()
	binary, err := osexec.LookPath("pgbouncer")
	if err != nil {
		binary = "/usr/sbin/pgbouncer" // in no user's PATH
	}
	if _, err := os.Stat(binary); err != nil {
		b.t.Fatalf("this test needs PgBouncer (Debian: apt-get install pgbouncer): %v", err)
	}
	args := []string{binary, b.ini()}
	if os.Geteuid() == 0 {
		args = []string{binary, "-u", "nobody", b.ini()} // it does not run as root
	}
	// However this process ends, standard input ends, and the shell kills it.
	cmd := osexec.Command("/bin/sh", append([]string{"-c", `"$@" </dev/null & cat >/dev/null; kill -s KILL $!; wait`, "sh"}, args...)...)
	cmd.Stdout, cmd.Stderr = &b.log, &b.log
	b.stdin, err = cmd.StdinPipe()
	ok(b.t, err)
	ok(b.t, cmd.Start())
	done := make(chan struct{})
	b.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	eventually(b.t, "PgBouncer answers", func() bool {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", b.port), time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// kill ends it as kill -9 does.
func (b *bouncer) kill() {
	b.stdin.Close()
	<-b.done
}

// pool is a pool of the same database as p's, through PgBouncer.
func (b *bouncer) pool(p *pgxpool.Pool, mode pgx.QueryExecMode) *pgxpool.Pool {
	b.t.Helper()
	return poolLike(b.t, p, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.ConnConfig.Host, c.ConnConfig.Port = "127.0.0.1", uint16(b.port)
		c.ConnConfig.Fallbacks = nil
		c.ConnConfig.RuntimeParams["application_name"] = "through PgBouncer"
		c.ConnConfig.DefaultQueryExecMode = mode // what users behind a pooler must set
	})
}

// leftBehind returns what the server connections of the bouncer still listen to,
// and how many advisory locks they hold.
func (b *bouncer) leftBehind(direct *pgxpool.Pool) (channels []string, locks int) {
	b.t.Helper()
	through := b.pool(direct, pgx.QueryExecModeSimpleProtocol)
	const servers = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'through PgBouncer'`
	n := value[int](b.t, direct, servers)
	ctx, seen := context.Background(), map[int]bool{}
	// Transactions that are open at the same time are on different connections.
	var open []*pgx.Conn
	for range n + 1 {
		conn, err := pgx.ConnectConfig(ctx, through.Config().ConnConfig)
		ok(b.t, err)
		open = append(open, conn)
		exec(b.t, conn, "BEGIN")
		seen[value[int](b.t, conn, "SELECT pg_backend_pid()")] = true
		channels = append(channels, values[string](b.t, conn, "SELECT pg_listening_channels()")...)
	}
	for _, conn := range open {
		conn.Close(ctx)
	}
	b.t.Logf("looked at %d server connections", len(seen))
	return channels, value[int](b.t, direct, `SELECT count(*)::int FROM pg_locks
		WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}
