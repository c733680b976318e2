package docs

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	span    = regexp.MustCompile("`[^`\n]+`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// prose is a page without its blocks of code.
func prose(t testing.TB, files fs.FS, page string) string {
	t.Helper()
	content, err := fs.ReadFile(files, page)
	check.OK(t, err)
	return fence.ReplaceAllString(string(content), "")
}

// anchors are the headings of a page, as GitHub names them.
func anchors(prose string) map[string]bool {
	found := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(prose, -1) {
		found[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, h[1])] = true
	}
	return found
}

func TestEveryLinkOfEveryPageLeadsSomewhere(t *testing.T) {
	check.Parallel(t)
	files, links := os.DirFS(check.Root()), 0
	check.OK(t, fs.WalkDir(files, ".", func(page string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && page != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case path.Ext(page) != ".md":
			return nil
		}
		for _, l := range link.FindAllStringSubmatch(span.ReplaceAllString(prose(t, files, page), ""), -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(l[1], "#")
			target := page
			if file != "" {
				target = path.Join(path.Dir(page), file)
			}
			if _, err := fs.Stat(files, target); err != nil {
				t.Errorf("%s links to %s: %v", page, l[1], err)
			} else if anchor != "" && !anchors(prose(t, files, target))[anchor] {
				t.Errorf("%s links to %s, and there is no such heading", page, l[1])
			}
		}
		return nil
	}))
	if links < 100 {
		t.Errorf("%d links were followed: where are the others?", links)
	}
}

func TestEveryPageIsInTheIndex(t *testing.T) {
	check.Parallel(t)
	pages, err := fs.Glob(os.DirFS(check.Root("docs")), "*.md")
	check.OK(t, err)
	index := check.File(t, check.Root("docs/README.md"))
	for _, page := range pages {
		if page != "README.md" {
			check.Contains(t, index, "]("+page+")")
		}
	}
}
