package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Each promise names at least one test, and each named test exists.
func TestEveryGuaranteeIsKeptByTestsThatExist(t *testing.T) {
	check.Parallel(t)
	exist := map[string]bool{}
	check.OK(t, filepath.WalkDir(check.Root(), func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, test := range regexp.MustCompile(`(?m)^func ((Test|Fuzz)\w+)\(`).FindAllSubmatch(source, -1) {
			exist[string(test[1])] = true
		}
		return err
	}))
	text, err := os.ReadFile(check.Root("docs/guarantees.md"))
	check.OK(t, err)
	promises := regexp.MustCompile(`(?m)^## \d+\. `).Split(string(text), -1)[1:]
	check.Equal(t, "promises", len(promises), 8)
	for _, promise := range promises {
		title, body, _ := strings.Cut(promise, "\n")
		body, _, _ = strings.Cut(body, "\n## ")
		tests := regexp.MustCompile("`((Test|Fuzz)\\w+)`").FindAllStringSubmatch(body, -1)
		if len(tests) == 0 || !strings.Contains(body, "\n> ") {
			t.Errorf("%q has no words or no tests", title)
		}
		for _, test := range tests {
			if !exist[test[1]] {
				t.Errorf("%q names %s, which does not exist", title, test[1])
			}
		}
	}
}
