package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// shifted takes the place of time.Now in a build of this program: the wall clock is
// ahead by seven minutes for three seconds, then behind by as much. The monotonic
// clock, which a wrong wall clock leaves alone, stays.
const shifted = `
// Now returns a wrong time.
func Now() Time {
	t := trueNow()
	shift := int64(7 * 60)
	if runtimeNano()/3e9%2 == 0 {
		shift = -shift
	}
	t.addSec(shift)
	return t
}

func trueNow() Time {`

// wrongClock makes the workers a build of this program whose clock is wrong. Other ways
// do not work: a program in Go does not ask libc for the time, and a time
// namespace has no wall clock of its own.
func wrongClock(ctx context.Context, a *arena) error {
	root, err := output(ctx, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	from := filepath.Join(root, "src", "time", "time.go")
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	const now = "\nfunc Now() Time {"
	if !bytes.Contains(text, []byte(now)) {
		return fmt.Errorf("no function Now in %s", from)
	}
	to, overlay := a.path("time.go"), a.path("overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {from: to}})
	if err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(to, bytes.Replace(text, []byte(now), []byte(shifted), 1), 0o600),
		os.WriteFile(overlay, replace, 0o600),
	); err != nil {
		return err
	}
	a.binary = a.path("chaos")
	_, err = output(ctx, "go", "build", "-overlay", overlay, "-o", a.binary, "github.com/pgmq-go/pgmq/tests/chaos")
	return err
}

// output runs a command in the directory of the tests.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, complaints.String())
	}
	return strings.TrimSpace(string(out)), nil
}
