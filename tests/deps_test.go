package tests

import (
	"bytes"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

const module = "github.com/pgmq-go/pgmq"

// deps lists what a package of the main module compiles, without the standard library.
func deps(t testing.TB, pkg string) []string {
	t.Helper()
	var stderr bytes.Buffer
	list := osexec.CommandContext(t.Context(), "go", "-C", "..", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pkg)
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return strings.Fields(string(out))
}

func TestQueueBringsPgxAndNothingElse(t *testing.T) {
	t.Parallel()
	ours := map[string]bool{module + "/db": true, module + "/generics": true, module + "/internal/table": true, module + "/queue": true}
	for _, dep := range deps(t, "./queue") {
		switch {
		case ours[dep]:
		case strings.HasPrefix(dep, "github.com/jackc/"), strings.HasPrefix(dep, "golang.org/x/text/"), strings.HasPrefix(dep, "golang.org/x/sync/"):
			// pgx and what it needs itself
		default:
			t.Errorf("queue compiles %s", dep)
		}
	}
}

// So they cost who imports queue nothing, although they are in the same module.
func TestTheExamplesBringNothingMoreThanQueue(t *testing.T) {
	t.Parallel()
	known := deps(t, "./queue")
	for _, dep := range deps(t, "./examples/...") {
		if !slices.Contains(known, dep) && !strings.HasPrefix(dep, module+"/examples/") {
			t.Errorf("an example compiles %s", dep)
		}
	}
}

func TestGenericsKnowsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	same(t, "what generics compiles", deps(t, "./generics"), []string{module + "/generics"})
}

// A module of somebody else's builds against the documented signatures and does
// the usual things.
func TestAnotherModuleCanUseQueue(t *testing.T) {
	t.Parallel()
	app := goIn(t, userModule(t, "example.com/app", map[string]string{"main.go": text(t, "testdata/app.go.txt")}), "run", ".")
	app.Env = append(app.Env, "DATABASE_URL="+dsn(pgtest.Pool()))
	equal(t, "what the program says", run(t, app), "all done\n")
}
