package postgres

import (
	"cmp"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// machine is the part of the computer that this package uses. Tests replace it.
type machine struct {
	path  string              // directories of commands, as in $PATH
	globs []string            // patterns of directories with server binaries, in the order of preference
	temps [2]string           // where to make a directory: the second is for a server's user that may not use the first
	shell string              // a POSIX shell
	port  func() (int, error) // a free port of 127.0.0.1
}

func thisMachine() machine {
	temp, err := filepath.Abs(os.TempDir())
	if err != nil {
		temp = "/tmp"
	}
	return machine{
		path: os.Getenv("PATH"),
		globs: []string{
			"/usr/lib/postgresql/*/bin",
			"/usr/pgsql-*/bin",
			"/opt/homebrew/opt/postgresql@*/bin",
			"/opt/homebrew/bin",
			"/usr/local/opt/postgresql@*/bin",
			"/Applications/Postgres.app/Contents/Versions/latest/bin",
		},
		temps: [2]string{temp, "/tmp"},
		shell: "/bin/sh",
		port:  freePort,
	}
}

// freePort returns a port that may be taken again before its use. The caller then
// tries another one.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// binaries returns every directory that holds both initdb and postgres, in the order
// of preference. They need not work: a version manager's placeholder looks the same
// until it runs.
func (m machine) binaries(ctx context.Context) []string {
	dirs := m.commandDirs()
	if config := m.command("pg_config"); config != "" {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, config, "--bindir")
		cmd.WaitDelay = time.Second
		if out, err := cmd.Output(); err == nil {
			dirs = append(dirs, strings.TrimSpace(string(out)))
		}
	}
	for _, glob := range m.globs {
		found, _ := filepath.Glob(glob)
		slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(versionIn(b), versionIn(a)) })
		dirs = append(dirs, found...)
	}

	var found []string
	for _, dir := range dirs {
		if !holdsServer(dir) {
			continue
		}
		// A directory of commands often holds links to initdb and postgres. The target is
		// the more useful path.
		if initdb, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb")); err == nil && holdsServer(filepath.Dir(initdb)) {
			dir = filepath.Dir(initdb)
		}
		if !slices.Contains(found, dir) {
			found = append(found, dir)
		}
	}
	return found
}

func (m machine) commandDirs() []string {
	// Like os/exec, this does not look for commands in the current directory.
	return slices.DeleteFunc(filepath.SplitList(m.path), func(dir string) bool { return !filepath.IsAbs(dir) })
}

// command returns the path of a command, or "" if it is not found.
func (m machine) command(name string) string {
	for _, dir := range m.commandDirs() {
		if file := filepath.Join(dir, name); executable(file) {
			return file
		}
	}
	return ""
}

func holdsServer(dir string) bool {
	return filepath.IsAbs(dir) && executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres"))
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var number = regexp.MustCompile(`\d+(\.\d+)?`)

// versionIn returns the last number in a path: 15 for /usr/lib/postgresql/15/bin.
func versionIn(dir string) float64 {
	numbers := number.FindAllString(dir, -1)
	if len(numbers) == 0 {
		return 0
	}
	v, _ := strconv.ParseFloat(numbers[len(numbers)-1], 64)
	return v
}
