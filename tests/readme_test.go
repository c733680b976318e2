package tests

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
)

// A reader pastes the program at the top of the README first, on a database that
// has no schema yet. It works until ctrl-C.
func TestTheProgramOfTheREADMERunsOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	pool := pgtest.Database(t)
	program := regexp.MustCompile("(?s)```go main.go\n(.*?)```").FindStringSubmatch(text(t, "../README.md"))
	if program == nil {
		t.Fatal("the README has no main.go")
	}
	dir := userModule(t, "example.com/shop", map[string]string{"main.go": program[1]})
	if out, err := goIn(t, dir, "build", "-o", "shop", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	shop := osexec.CommandContext(ctx, filepath.Join(dir, "shop"))
	shop.Env = append(os.Environ(), "DATABASE_URL="+dsn(pool))
	var complaints strings.Builder
	shop.Stderr = &complaints
	out, err := shop.StdoutPipe()
	ok(t, err)
	ok(t, shop.Start())
	var printed []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		printed = append(printed, lines.Text())
		ok(t, shop.Process.Signal(os.Interrupt))
	}
	if err := shop.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	same(t, "lines", printed, []string{"shipping order 42 to ada"})
	var left int
	ok(t, pool.QueryRow(ctx, "SELECT count(*) FROM pgmq.q_orders").Scan(&left))
	equal(t, "messages left", left, 0)
}

// The examples run, so each line of the other snippets is in one of them.
func TestEverySnippetOfTheREADMEIsAnExample(t *testing.T) {
	t.Parallel()
	lines := map[string]bool{}
	for line := range strings.Lines(text(t, "../queue/example_test.go")) {
		lines[strings.TrimSpace(line)] = true
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(text(t, "../README.md"), -1)
	equal(t, "snippets", len(snippets), 1)
	for _, snippet := range snippets {
		for line := range strings.Lines(snippet[1]) {
			if line = strings.TrimSpace(line); !lines[line] {
				t.Errorf("no example has the line %q", line)
			}
		}
	}
}
