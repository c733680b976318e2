package check

import (
	"bytes"
	"context"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Cmd is a command that is killed when the test ends, or when it runs for too long.
func Cmd(t testing.TB, name string, args ...string) *osexec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), 2*Patience)
	t.Cleanup(cancel)
	return osexec.CommandContext(ctx, name, args...)
}

// built holds the programs that the tests of a folder build, each once. Main removes it.
var built struct {
	mu  sync.Mutex
	dir string
}

// build returns the path of a binary, which it builds unless that was done.
func build(t testing.TB, name, module string, args ...string) string {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "pgmq-tests-")
		OK(t, err)
		built.dir = dir
	}
	binary := filepath.Join(built.dir, name)
	if _, err := os.Stat(binary); err != nil {
		Run(t, Cmd(t, "go", append([]string{"-C", module, "build", "-o", binary}, args...)...))
	}
	return binary
}

// Command is Program for cmd/pgmq.
func Command(t testing.TB) func(args ...string) *osexec.Cmd {
	t.Helper()
	return Program(t, "./cmd/pgmq")
}

// Program returns a program of the main module, to be run with no database in its
// environment.
func Program(t testing.TB, pkg string) func(args ...string) *osexec.Cmd {
	t.Helper()
	binary := build(t, filepath.Base(pkg), Root(), pkg)
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "DATABASE_URL") {
			env = append(env, v)
		}
	}
	return func(args ...string) *osexec.Cmd {
		cmd := Cmd(t, binary, args...)
		cmd.Env = slices.Clip(env) // so that an append makes a copy
		return cmd
	}
}

// Output runs a command that must succeed, and returns its standard output.
func Output(t testing.TB, cmd *osexec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args[1:], " "), err, out, stderr.String())
	}
	return string(out)
}

// Failure runs a command that must fail with an exit code and one line about it.
func Failure(t testing.TB, cmd *osexec.Cmd, code int, words ...string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	exit := As[*osexec.ExitError](t, err)
	Equal(t, "the exit code", exit.ExitCode(), code)
	text := string(out)
	if strings.Count(text, "\n") != 1 {
		t.Fatalf("%q is not one line", text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Fatalf("%q does not say %q", text, word)
		}
	}
	if strings.Contains(text, "s3cret") {
		t.Fatalf("%q shows the password", text)
	}
}

// Tools are the two commands.
type Tools struct {
	Pgmq  func(args ...string) *osexec.Cmd
	Goose string
}

// BuiltTools returns both commands.
func BuiltTools(t testing.TB) Tools {
	t.Helper()
	return Tools{Pgmq: Command(t), Goose: gooseCommand(t)}
}

// gooseCommand is goose itself, with Postgres alone: the other drivers would take
// minutes to build.
func gooseCommand(t testing.TB) string {
	t.Helper()
	return build(t, "goose", Root("tools"),
		"-tags=no_clickhouse,no_mssql,no_azuresql,no_mysql,no_sqlite3,no_vertica,no_ydb,no_turso,no_libsql",
		"github.com/pressly/goose/v3/cmd/goose")
}

// Run runs a command and returns its output.
func Run(t testing.TB, cmd *osexec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// GooseOn returns goose for a directory and a version table of a database.
func GooseOn(t testing.TB, pool *pgxpool.Pool, dir, table string) func(args ...string) string {
	t.Helper()
	cmd := GooseWith(t, gooseCommand(t), pool, dir, table)
	return func(args ...string) string {
		t.Helper()
		return Run(t, cmd(args...))
	}
}

// GooseWith is GooseOn for a goose that was built, and to be run by the caller.
func GooseWith(t testing.TB, binary string, pool *pgxpool.Pool, dir, table string) func(args ...string) *osexec.Cmd {
	return func(args ...string) *osexec.Cmd {
		cmd := Cmd(t, binary, args...)
		cmd.Env = append(os.Environ(), "GOOSE_DRIVER=postgres", "GOOSE_DBSTRING="+DSN(pool), "GOOSE_MIGRATION_DIR="+dir, "GOOSE_TABLE="+table)
		return cmd
	}
}
