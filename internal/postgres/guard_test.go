//go:build unix

package postgres

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The wrapper is a shell, which ignores SIGINT and SIGQUIT in the background. Its child
// does not.
func TestStopReachesThroughWrappers(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	dirs := m.binaries(t.Context())
	if len(dirs) == 0 {
		t.Fatal("these tests need server binaries: apt-get install postgresql")
	}
	wrappers := sharedDir(t)
	for _, name := range []string{"initdb", "postgres"} {
		script(t, filepath.Join(wrappers, name), dirs[0]+"/"+name+" \"$@\"\nexit $?\n")
	}
	m.path = wrappers
	s := m.mustStart(t, "fsync=off")
	if !strings.HasSuffix(s.Origin, "from "+wrappers) {
		t.Fatalf("origin %q", s.Origin)
	}
	family := marked(t, m.temps[0])
	begin := time.Now()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > killsAfter {
		t.Errorf("took %v: the first signal was missed", d)
	}
	nothingLeft(t, m.temps[0], family, 0)
}

func TestCancelDuringInitdbLeavesNothing(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		s, err := m.local(ctx, nil)
		s.Stop()
		failed <- err
	}()
	awaitInitdb(t, m.temps[0])
	family := marked(t, m.temps[0])
	cancel()
	if err := receive(t, failed); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, m.temps[0], family, 0)
}

func TestCancelOfInitdbThatHangs(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	wrong := sharedDir(t)
	script(t, filepath.Join(wrong, "initdb"), `mkdir -p "$2/base"; sleep 600; exit`)
	script(t, filepath.Join(wrong, "postgres"), "exit 1")
	m.path, m.globs = wrong+":/usr/bin:/bin", nil
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		awaitInitdb(t, m.temps[0])
		cancel()
	}()
	begin := time.Now()
	if _, err := m.local(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begin); d > killsAfter {
		t.Errorf("took %v", d)
	}
	nothingLeft(t, m.temps[0], nil, 0)
	if left := marked(t, wrong); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// awaitInitdb returns while initdb works.
func awaitInitdb(t *testing.T, dir string) {
	t.Helper()
	eventually(t, "initdb runs", func() bool {
		data, _ := filepath.Glob(filepath.Join(dir, "*", "data", "base"))
		return len(data) > 0
	})
}

func TestGuardNoticesThatTheServerEnded(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	s := m.mustStart(t, "fsync=off")
	family := marked(t, m.temps[0])
	for _, p := range family {
		if strings.Contains(p.args, "/postgres -D ") && !strings.Contains(p.args, "serving") {
			signalProcess(t, p.pid, syscall.SIGQUIT)
		}
	}
	select {
	case <-s.guard.done:
	case <-time.After(patience):
		t.Error("the guard outlives its server")
	}
	nothingLeft(t, m.temps[0], family, 0)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestGuardInOtherShells(t *testing.T) {
	long(t)
	t.Parallel()
	dir := sharedDir(t)
	for _, name := range []string{"dash", "bash", "busybox", "mksh", "zsh"} {
		shell, err := exec.LookPath(name)
		if err != nil {
			t.Logf("no %s here", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := testMachine(t)
			m.shell = filepath.Join(dir, name, "sh") // with this name a shell is in POSIX mode
			if err := os.Mkdir(filepath.Dir(m.shell), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(shell, m.shell); err != nil {
				t.Fatal(err)
			}
			s := m.mustStart(t, "fsync=off")
			family := marked(t, m.temps[0])
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			nothingLeft(t, m.temps[0], family, 0)

			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			if _, err := m.local(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			nothingLeft(t, m.temps[0], nil, 0)
		})
	}
}
