//go:build unix

package postgres

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ask returns the server's answer to a query as text.
func ask(t *testing.T, url, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var answer string
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// long skips a test that takes long, but for make test-slow.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("PGMQ_TEST_SLOW") == "" {
		t.Skip("make test-slow runs it")
	}
}

func TestLocalAnswersAndStopLeavesNothing(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	begin := time.Now()
	s := m.mustStart(t, "fsync=off", "application_name=it's; $(touch /tmp/x) \"quoted\"")
	t.Logf("started in %v: %s, %s", time.Since(begin), s.Origin, Redact(s.URL))
	if v := ask(t, s.URL, "select version()"); !strings.HasPrefix(v, "PostgreSQL ") {
		t.Errorf("version %q", v)
	}
	for query, want := range map[string]string{
		"show fsync":                   "off",
		"show listen_addresses":        "127.0.0.1",
		"show unix_socket_directories": "",
		"show server_encoding":         "UTF8",
		"show max_connections":         "200",
		"select reset_val from pg_settings where name = 'application_name'":                 "it's; $(touch /tmp/x) \"quoted\"",
		"select count(*)::text from pg_hba_file_rules where auth_method <> 'scram-sha-256'": "0",
	} {
		if got := ask(t, s.URL, query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if stranger, err := pgx.Connect(t.Context(), strings.Replace(s.URL, s.guard.password, "guess", 1)); err == nil {
		stranger.Close(t.Context())
		t.Error("any password will do")
	}
	for _, p := range processes(t) {
		if strings.Contains(p.args, s.guard.password) {
			t.Errorf("password in the arguments of %d", p.pid)
		}
	}

	family := marked(t, m.temps[0])
	if len(family) < 6 {
		t.Errorf("only %d processes of a server: %v", len(family), family)
	}
	begin = time.Now()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("stopped in %v", time.Since(begin))
	nothingLeft(t, m.temps[0], family, 0)
	if err := s.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	servers := make(chan *Server, 2)
	for range 2 {
		go func() {
			s, err := m.local(t.Context(), []string{"fsync=off"})
			if err != nil {
				t.Error(err)
			}
			servers <- s
		}()
	}
	a, b := receive(t, servers), receive(t, servers)
	if a == nil || b == nil {
		t.FailNow()
	}
	defer b.Stop()
	if err := a.Stop(); err != nil {
		t.Error(err)
	}
	ask(t, b.URL, "select version()")
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, m.temps[0], nil, 0)
}

func TestStopWithClients(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	s := m.mustStart(t, "fsync=off")
	conn, err := pgx.Connect(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	asleep := make(chan error)
	go func() {
		_, err := conn.Exec(context.Background(), "select pg_sleep(600)")
		asleep <- err
	}()
	begin := time.Now()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > killsAfter {
		t.Errorf("took %v: no fast shutdown", d)
	}
	if err := receive(t, asleep); err == nil {
		t.Error("slept for ten minutes")
	}
}

// A file named initdb or postgres need not be Postgres.
func TestBinariesThatDoNotWorkAreSkipped(t *testing.T) {
	long(t)
	t.Parallel()
	m := testMachine(t)
	dirs := m.binaries(t.Context())
	if len(dirs) == 0 {
		t.Fatal("these tests need server binaries: apt-get install postgresql")
	}
	wrong := sharedDir(t)
	path := m.path
	m.path = ""
	for name, scripts := range map[string][2]string{
		"refuses":  {"echo 'initdb: not for you' >&2; exit 1", "exit 1"},
		"lies":     {"exit 0", "exit 0"},
		"wrapped":  {"exec " + dirs[0] + "/initdb \"$@\"", "echo 'postgres: not today'; exit 3"},
		"children": {wrong + "/linger & exit 1", "exit 1"},
	} {
		script(t, filepath.Join(wrong, "linger"), "sleep 600; exit")
		dir := filepath.Join(wrong, name)
		script(t, filepath.Join(dir, "initdb"), scripts[0])
		script(t, filepath.Join(dir, "postgres"), scripts[1])
		m.path += dir + ":"
	}

	lost := m
	lost.globs = nil
	_, err := lost.local(t.Context(), nil)
	for _, cause := range []string{"initdb: not for you", "postgres: not today"} {
		if err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("no %q in the error %v", cause, err)
		}
	}
	nothingLeft(t, m.temps[0], nil, 0)
	if left := marked(t, wrong); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	m.path += path
	s := m.mustStart(t, "fsync=off")
	if !strings.HasSuffix(s.Origin, "from "+dirs[0]) {
		t.Errorf("origin %q, want %s", s.Origin, dirs[0])
	}
}

func TestErrNoBinariesTellsWhereItLooked(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	m.path, m.globs = "", []string{"/no/such/*/bin"}
	_, err := m.local(t.Context(), nil)
	if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), "/no/such/*/bin") {
		t.Errorf("got %v", err)
	}
}

func TestErrorHoldsTheReasonAndNoPassword(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	s, err := m.local(t.Context(), []string{"fsnyc=off"})
	if err == nil {
		s.Stop()
		t.Fatal("started with a setting that does not exist")
	}
	if !strings.Contains(err.Error(), `unrecognized configuration parameter "fsnyc"`) {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, m.temps[0], nil, 0)
}

func TestTakenPortIsTriedElsewhere(t *testing.T) {
	long(t)
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := testMachine(t)
	tries := 0
	m.port = func() (int, error) {
		if tries++; tries == 1 {
			return l.Addr().(*net.TCPAddr).Port, nil
		}
		return freePort()
	}
	go func() { // another program on the port, which answers nonsense
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("N"))
			conn.Close()
		}
	}()
	s := m.mustStart(t, "fsync=off")
	ask(t, s.URL, "select version()")
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
}

func TestSecondDirectoryWhenTheFirstIsBarred(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	barred := filepath.Join(sharedDir(t), "barred")
	if err := os.Mkdir(barred, 0o500); err != nil { // it belongs to root, or its owner cannot write to it
		t.Fatal(err)
	}
	m.temps[0] = barred
	m.mustStart(t, "fsync=off")
	if entries, err := os.ReadDir(m.temps[1]); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v", entries, err)
	}
	m.temps[1] = barred
	if _, err := m.local(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "cannot make a directory") {
		t.Errorf("got %v", err)
	}
}
