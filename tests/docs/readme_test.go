package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// The examples run; so the README shows nothing that does not.
func TestEverySnippetOfTheREADMEIsAnExample(t *testing.T) {
	check.Parallel(t)
	readme, err := os.ReadFile(check.Root("README.md"))
	check.OK(t, err)
	source, err := os.ReadFile(check.Root("queue/example_test.go"))
	check.OK(t, err)
	lines := map[string]bool{}
	for line := range strings.Lines(string(source)) {
		lines[strings.TrimSpace(line)] = true
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	check.Equal(t, "snippets", len(snippets), 2)
	for _, snippet := range snippets {
		for line := range strings.Lines(snippet[1]) {
			if line = strings.TrimSpace(line); !lines[line] {
				t.Errorf("no example has the line %q", line)
			}
		}
	}
}
