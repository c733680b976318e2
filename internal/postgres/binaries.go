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

// machine is what this package uses of the computer. Tests put other things in its place.
type machine struct {
	path  string              // directories of commands, as in $PATH
	globs []string            // directories of server binaries, most wanted first
	temps [2]string           // where to make a directory: the second if the server's user may not use the first
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

// freePort may be wrong by the time the port is used; the caller tries again.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// binaries returns every directory that holds both initdb and postgres, most wanted first. What is in them need
// not work: a version manager's stand-in looks the same until it is run.
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
		// Links to initdb and postgres often stand in a directory of commands. Where they lead says more.
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
	// As os/exec does: what lies in the current directory is not taken for a command.
	return slices.DeleteFunc(filepath.SplitList(m.path), func(dir string) bool { return !filepath.IsAbs(dir) })
}

// command returns where the command of this name is, or "".
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
