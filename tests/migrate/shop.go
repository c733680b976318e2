package migrate

import (
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// shop is an application that declares queues, in a directory of its own.
type shop struct {
	t     testing.TB
	dir   string
	tools check.Tools
}

// newShop has the declaration of testdata, or another one.
func newShop(t testing.TB, tools check.Tools, declaration ...string) *shop {
	t.Helper()
	s := &shop{t: t, tools: tools}
	s.dir = check.UserModule(t, "example.com/shop", map[string]string{
		"events/events.go":      "package events\n\ntype OrderPlaced struct{ ID int64 }\n\ntype Pair[A any] struct{ A A }\n",
		"mail/events/mail.go":   "package events\n\ntype Mail struct{ To string }\n",
		"internal/queues/x.go":  "package queues\n\ntype Click struct{ X, Y int }\n",
		"cmd/shop/main.go":      "package main\n\ntype Order struct{}\n\nfunc main() {}\n",
		"migrations/00041_.sql": "-- +goose Up\nCREATE TABLE customers (id bigint PRIMARY KEY);\n\n-- +goose Down\nDROP TABLE customers;\n",
		"pgmq.yaml":             check.File(t, "testdata/generate/pgmq.yaml"),
	})
	for _, d := range declaration {
		check.WriteFiles(t, s.dir, map[string]string{"pgmq.yaml": d})
	}
	return s
}

// pgmq is the command in the application's directory.
func (s *shop) pgmq(args ...string) *osexec.Cmd {
	cmd := s.tools.Pgmq(args...)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Env, "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	return cmd
}

// edit replaces a text in the declaration.
func (s *shop) edit(from, to string) {
	s.t.Helper()
	before := check.File(s.t, s.dir, "pgmq.yaml")
	check.Equal(s.t, "times that "+from+" is declared", strings.Count(before, from), 1)
	check.WriteFiles(s.t, s.dir, map[string]string{"pgmq.yaml": strings.Replace(before, from, to, 1)})
}

// migrations lists the files in its goose directory.
func (s *shop) migrations() []string {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, "migrations", "*"))
	check.OK(s.t, err)
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

// goose is the real one, on the application's own history.
func (s *shop) goose(pool *pgxpool.Pool) func(args ...string) *osexec.Cmd {
	return check.GooseWith(s.t, s.tools.Goose, pool, filepath.Join(s.dir, "migrations"), "goose_db_version")
}
