//go:build unix

package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary runs itself to get a process that a test can kill.
const childVar = "PGMQ_POSTGRES_CHILD"

func TestMain(m *testing.M) {
	start := map[string]func(context.Context) (*Server, error){
		"local":  func(ctx context.Context) (*Server, error) { return Local(ctx, "fsync=off") },
		"docker": func(ctx context.Context) (*Server, error) { return Docker(ctx, DefaultImage) },
	}[os.Getenv(childVar)]
	if start == nil {
		os.Exit(m.Run())
	}
	_, err := start(context.Background())
	fmt.Println("started", err)
	time.Sleep(time.Minute)
}

// sharedDir returns a directory that the server's user can use, unlike t.TempDir. Its
// name marks the processes that work in it.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgmq-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// testMachine returns this machine with a new directory for servers. The directory
// must be empty in the end.
func testMachine(t *testing.T) machine {
	t.Helper()
	m := thisMachine()
	dir := sharedDir(t)
	m.temps = [2]string{dir, dir}
	t.Cleanup(func() { nothingLeft(t, dir, nil, patience) })
	return m
}

func (m machine) mustStart(t *testing.T, settings ...string) *Server {
	t.Helper()
	s, err := m.local(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

type process struct {
	pid, ppid int
	args      string
}

// processes lists all but the zombies.
func processes(t *testing.T) []process {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=,args=").Output()
	if err != nil {
		t.Fatalf("these tests need ps (apt-get install procps): %v", err)
	}
	var all []process
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[2], "Z") {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		ppid, _ := strconv.Atoi(f[1])
		all = append(all, process{pid, ppid, strings.Join(f[3:], " ")})
	}
	return all
}

// marked returns the processes with mark in their arguments, and their descendants.
func marked(t *testing.T, mark string) []process {
	t.Helper()
	all := processes(t)
	var found []process
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			in := strings.Contains(p.args, mark) ||
				slices.ContainsFunc(found, func(parent process) bool { return parent.pid == p.ppid })
			if in && !slices.Contains(found, p) {
				found = append(found, p)
				grown = true
			}
		}
	}
	return found
}

// nothingLeft checks that dir is empty, that no process works in it, and that none of
// former is alive.
func nothingLeft(t *testing.T, dir string, former []process, patience time.Duration) {
	t.Helper()
	var left []string
	for end := time.Now().Add(patience); ; {
		left = nil
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			left = append(left, filepath.Join(dir, e.Name()))
		}
		for _, p := range processes(t) {
			if strings.Contains(p.args, dir) || strings.Contains(p.args, "postgres") &&
				slices.ContainsFunc(former, func(f process) bool { return f.pid == p.pid }) {
				left = append(left, fmt.Sprintf("%d %.60q", p.pid, p.args))
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if len(left) > 0 {
		t.Errorf("left: %s", strings.Join(left, ", "))
	}
}

const (
	// patience is how long a test waits on a machine that is busy with other things.
	patience = time.Minute
	// killsAfter is a moment before a guard kills processes that ignored its signal.
	killsAfter = 9 * time.Second
)

// eventually waits for a state that has no event to wait for.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("it did not happen: %s", what) // not Fatalf: goroutines call this, too
			return
		}
	}
}

// receive receives from a channel.
func receive[V any](t *testing.T, from <-chan V) V {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("not reached")
	}
}

// script writes an executable shell script.
func script(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}
