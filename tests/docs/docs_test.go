package docs

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// block is one code block of a page: its language, the file that it is, if it
// names one, and its text.
var block = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

// runs are the shell commands that run blocks, by their language.
var runs = map[string]string{
	"sh":  `eval "$1"`,
	"sql": `printf %s "$1" | psql -Xqv ON_ERROR_STOP=1 -d "$DATABASE_URL"`,
}

// The test runs the blocks of these pages from top to bottom: it writes the files, runs
// shell and SQL, and compares their output with the text below, where … stands for any
// text. A block in a comment runs too: it makes things that a reader has already. Code
// that cannot run here is in a block of no language.
func TestWhatThePagesSayIsWhatHappens(t *testing.T) {
	check.Slow(t)
	binaries := check.BuiltTools(t)
	for _, page := range []string{"generate.md", "deploying.md", "coming-from.md", "getting-started.md", "consuming.md", "operating.md", "your-own.md", "faq.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Database(t)
			dir := check.UserModule(t, "example.com/shop", map[string]string{"cmd/shop/main.go": "package main\n\nfunc main() {}\n"})
			bin := t.TempDir()
			for name, path := range map[string]string{"pgmq": binaries.Pgmq().Path, "goose": binaries.Goose} {
				check.OK(t, os.Symlink(path, filepath.Join(bin, name)))
			}
			env := append(os.Environ(), "DATABASE_URL="+check.DSN(pool), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off",
				"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			printed, ran := "", 0
			for _, part := range block.FindAllStringSubmatch(check.File(t, check.Root("docs", page)), -1) {
				language, file, code := part[1], part[2], part[3]
				switch {
				case file != "":
					check.WriteFiles(t, dir, map[string]string{file: code})
				case language == "text":
					same := strings.ReplaceAll(regexp.QuoteMeta(code), "…", ".*")
					if !regexp.MustCompile("^" + same + "$").MatchString(printed) {
						t.Fatalf("%s\nis printed, and not\n%s", printed, code)
					}
				case runs[language] != "":
					sh := check.Cmd(t, "sh", "-euc", runs[language], "sh", code)
					sh.Dir, sh.Env = dir, env
					out, err := sh.Output()
					if err != nil {
						t.Fatalf("%v\n%s\n%s%s", err, code, out, check.As[*osexec.ExitError](t, err).Stderr)
					}
					printed, ran = string(out), ran+1
				default:
					t.Fatalf("nothing is done with a block of %s", language)
				}
			}
			if ran == 0 {
				t.Fatal("nothing was run")
			}
		})
	}
}
