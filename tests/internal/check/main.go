// Package check has the code that tests of several folders share: assertions, fixtures,
// and helpers that wait for conditions.
package check

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/dockerpg"
)

// Main is the body of a folder's TestMain. It gives the tests a server and a
// migrated database, and exits.
func Main(m *testing.M) {
	code := pgtest.Main(m, dockerpg.Start)
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

var isRoot = regexp.MustCompile(`(?m)^module ` + regexp.QuoteMeta(Module) + `$`)

var root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && isRoot.Match(text) {
			return dir
		}
		if dir == filepath.Dir(dir) {
			panic("no directory above this one holds the module " + Module)
		}
		dir = filepath.Dir(dir)
	}
})

// Root returns the absolute path of a file in the repository, or of its root.
func Root(path ...string) string {
	return filepath.Join(append([]string{root()}, path...)...)
}
