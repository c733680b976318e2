package tests

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The examples run; so the README shows nothing that does not.
func TestEverySnippetOfTheREADMEIsAnExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	ok(t, err)
	source, err := os.ReadFile("../queue/example_test.go")
	ok(t, err)
	lines := map[string]bool{}
	for line := range strings.Lines(string(source)) {
		lines[strings.TrimSpace(line)] = true
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	equal(t, "snippets", len(snippets), 2)
	for _, snippet := range snippets {
		for line := range strings.Lines(snippet[1]) {
			if line = strings.TrimSpace(line); !lines[line] {
				t.Errorf("no example has the line %q", line)
			}
		}
	}
}
