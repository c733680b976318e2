package docs

import (
	"bufio"
	"context"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A reader pastes the program at the top of the README first, on a database that
// has no schema yet. It works until ctrl-C.
func TestTheProgramOfTheREADMERunsOnAnEmptyDatabase(t *testing.T) {
	check.Parallel(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	pool := pgtest.Database(t)
	program := regexp.MustCompile("(?s)```go main.go\n(.*?)```").FindStringSubmatch(check.File(t, check.Root("README.md")))
	if program == nil {
		t.Fatal("the README has no main.go")
	}
	dir := check.UserModule(t, "example.com/shop", map[string]string{"main.go": program[1]})
	if out, err := check.GoIn(t, dir, "build", "-o", "shop", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	shop := osexec.CommandContext(ctx, filepath.Join(dir, "shop"))
	shop.Env = append(os.Environ(), "DATABASE_URL="+check.DSN(pool))
	var complaints strings.Builder
	shop.Stderr = &complaints
	out, err := shop.StdoutPipe()
	check.OK(t, err)
	check.OK(t, shop.Start())
	var printed []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		printed = append(printed, lines.Text())
		check.OK(t, shop.Process.Signal(os.Interrupt))
	}
	if err := shop.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	check.Same(t, "lines", printed, []string{"shipping order 42 to ada"})
	var left int
	check.OK(t, pool.QueryRow(ctx, "SELECT count(*) FROM pgmq.q_orders").Scan(&left))
	check.Equal(t, "messages left", left, 0)
}

// The examples run, so each line of the other snippets is in one of them.
func TestEverySnippetOfTheREADMEIsAnExample(t *testing.T) {
	check.Parallel(t)
	lines := map[string]bool{}
	for line := range strings.Lines(check.File(t, check.Root("queue/example_test.go"))) {
		lines[strings.TrimSpace(line)] = true
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(check.File(t, check.Root("README.md")), -1)
	check.Equal(t, "snippets", len(snippets), 1)
	for _, snippet := range snippets {
		for line := range strings.Lines(snippet[1]) {
			if line = strings.TrimSpace(line); !lines[line] {
				t.Errorf("no example has the line %q", line)
			}
		}
	}
}
