package tests

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// userModule makes a module of somebody else's, which requires this one, of files
// by their paths.
func userModule(t testing.TB, name string, files map[string]string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	ok(t, err)
	goMod, err := os.ReadFile("../go.mod")
	ok(t, err)
	goSum, err := os.ReadFile("../go.sum")
	ok(t, err)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"go.mod": strings.Replace(string(goMod), "module "+module, "module "+name, 1) +
			fmt.Sprintf("\nrequire %s v0.0.0\nreplace %s => %s\n", module, module, root),
		"go.sum": string(goSum),
	})
	writeFiles(t, dir, files)
	return dir
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(dir, path)
		ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
		ok(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

func text(t testing.TB, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	ok(t, err)
	return string(content)
}

// goIn is the go command in a user's module.
func goIn(t testing.TB, dir string, args ...string) *osexec.Cmd {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	return cmd
}

// tools are the two commands, built once for a test and its subtests.
type tools struct {
	pgmq  func(args ...string) *osexec.Cmd
	goose string
}

func builtTools(t testing.TB) tools {
	t.Helper()
	return tools{pgmq: command(t), goose: gooseCommand(t)}
}

// shop is an application that declares queues, in a directory of its own.
type shop struct {
	t     testing.TB
	dir   string
	tools tools
}

// newShop has the declaration of testdata, or another one.
func newShop(t testing.TB, tools tools, declaration ...string) *shop {
	t.Helper()
	s := &shop{t: t, tools: tools}
	s.dir = userModule(t, "example.com/shop", map[string]string{
		"events/events.go":      "package events\n\ntype OrderPlaced struct{ ID int64 }\n\ntype Pair[A any] struct{ A A }\n",
		"mail/events/mail.go":   "package events\n\ntype Mail struct{ To string }\n",
		"internal/queues/x.go":  "package queues\n\ntype Click struct{ X, Y int }\n",
		"cmd/shop/main.go":      "package main\n\ntype Order struct{}\n\nfunc main() {}\n",
		"migrations/00041_.sql": "-- +goose Up\nCREATE TABLE customers (id bigint PRIMARY KEY);\n\n-- +goose Down\nDROP TABLE customers;\n",
		"pgmq.yaml":             text(t, "testdata/generate/pgmq.yaml"),
	})
	for _, d := range declaration {
		writeFiles(t, s.dir, map[string]string{"pgmq.yaml": d})
	}
	return s
}

// pgmq is the command in the application's directory.
func (s *shop) pgmq(args ...string) *osexec.Cmd {
	cmd := s.tools.pgmq(args...)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Env, "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	return cmd
}

// edit replaces a text in the declaration.
func (s *shop) edit(from, to string) {
	s.t.Helper()
	before := text(s.t, s.dir, "pgmq.yaml")
	equal(s.t, "times that "+from+" is declared", strings.Count(before, from), 1)
	writeFiles(s.t, s.dir, map[string]string{"pgmq.yaml": strings.Replace(before, from, to, 1)})
}

// migrations lists the files in its goose directory.
func (s *shop) migrations() []string {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, "migrations", "*"))
	ok(s.t, err)
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

// goose is the real one, on the application's own history.
func (s *shop) goose(pool *pgxpool.Pool) func(args ...string) *osexec.Cmd {
	return gooseWith(s.t, s.tools.goose, pool, filepath.Join(s.dir, "migrations"), "goose_db_version")
}
