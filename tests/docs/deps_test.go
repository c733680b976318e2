package docs

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// deps lists what a package of the main module compiles, without the standard library.
func deps(t testing.TB, pkg string) []string {
	t.Helper()
	var stderr bytes.Buffer
	list := check.Cmd(t, "go", "-C", check.Root(), "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pkg)
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return strings.Fields(string(out))
}

func TestQueueBringsPgxAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, dep := range deps(t, "./queue/...") {
		ours, found := strings.CutPrefix(dep, check.Module+"/")
		switch {
		case found && ours != "schema" && !strings.HasPrefix(ours, "cmd/"):
		case strings.HasPrefix(dep, "github.com/jackc/"), strings.HasPrefix(dep, "golang.org/x/text/"), strings.HasPrefix(dep, "golang.org/x/sync/"):
			// pgx and its own dependencies
		default:
			t.Errorf("queue compiles %s", dep)
		}
	}
}

// So they cost a program that imports queue nothing, although they are in the same module.
func TestTheExamplesBringNothingMoreThanQueue(t *testing.T) {
	t.Parallel()
	known := deps(t, "./queue/admin")
	for _, name := range []string{"deploy", "fanout", "outbox", "pipeline", "polyglot", "worker"} { // quakes draws
		for _, dep := range deps(t, "./examples/"+name) {
			if !slices.Contains(known, dep) && !strings.HasPrefix(dep, check.Module+"/examples/") {
				t.Errorf("example %s compiles %s", name, dep)
			}
		}
	}
}

func TestGenericsKnowsTheStandardLibraryOnly(t *testing.T) {
	check.Parallel(t)
	check.Same(t, "what generics compiles", deps(t, "./generics"), []string{check.Module + "/generics"})
}

// A module of somebody else's builds against the documented signatures and does
// the usual things.
func TestAnotherModuleCanUseQueue(t *testing.T) {
	check.Parallel(t)
	app := check.GoIn(t, check.UserModule(t, "example.com/app", map[string]string{"main.go": check.File(t, "testdata/app.go.txt")}), "run", ".")
	app.Env = append(app.Env, "DATABASE_URL="+check.DSN(pgtest.Pool()))
	check.Equal(t, "what the program says", check.Run(t, app), "all done\n")
}
