//go:build unix

package postgres

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// child runs this test binary as a process in a new process group that starts a server.
func child(t *testing.T, mode string, env ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), append(env, childVar+"="+mode)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, bufio.NewReader(stdout)
}

func awaitStarted(t *testing.T, stdout *bufio.Reader) {
	t.Helper()
	if line, err := stdout.ReadString('\n'); line != "started <nil>\n" {
		t.Fatalf("child: %s, %v", line, err)
	}
}

func signalProcess(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH { // backends come and go
		t.Errorf("kill %d: %v", pid, err)
	}
}

func TestKilledParentLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	cmd, stdout := child(t, "local", "TMPDIR="+dir)
	awaitStarted(t, stdout)
	family := marked(t, dir)
	begin := time.Now()
	signalProcess(t, cmd.Process.Pid, syscall.SIGKILL)
	nothingLeft(t, dir, family, patience)
	t.Logf("gone %v after the kill", time.Since(begin))
}

func TestCtrlCLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	cmd, stdout := child(t, "local", "TMPDIR="+dir)
	awaitStarted(t, stdout)
	family := marked(t, dir)
	for _, p := range family {
		if group, _ := syscall.Getpgid(p.pid); group == cmd.Process.Pid { // not if p has ended by now
			t.Errorf("ctrl-C reaches %v", p)
		}
	}
	signalProcess(t, -cmd.Process.Pid, syscall.SIGINT)
	nothingLeft(t, dir, family, patience)
}

func TestKilledDuringInitdbLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	cmd, _ := child(t, "local", "TMPDIR="+dir)
	awaitInitdb(t, dir)
	family := marked(t, dir)
	signalProcess(t, cmd.Process.Pid, syscall.SIGKILL)
	nothingLeft(t, dir, family, patience)
}

// Otherwise "make demo | cat" would hang for as long as a process of the server lives.
func TestNothingHoldsOurOutput(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	cmd, stdout := child(t, "local", "TMPDIR="+dir)
	awaitStarted(t, stdout)
	family := marked(t, dir)
	for _, p := range family {
		signalProcess(t, p.pid, syscall.SIGSTOP)
	}
	signalProcess(t, cmd.Process.Pid, syscall.SIGKILL)
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, stdout)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("output still open")
	}
	for _, p := range family {
		signalProcess(t, p.pid, syscall.SIGCONT)
	}
	nothingLeft(t, dir, family, patience)
}

// PGMQ_KILL_ROUNDS sets the number of moments.
func TestKilledAtAnyMomentLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	rounds := 8
	if s := os.Getenv("PGMQ_KILL_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	for i := range rounds {
		cmd, _ := child(t, "local", "TMPDIR="+dir)
		time.Sleep(time.Duration(i) * 900 * time.Millisecond / time.Duration(rounds))
		cmd.Process.Kill()
		cmd.Wait()
		nothingLeft(t, dir, nil, patience)
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
}
