package check

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Module is the path of the module under test.
const Module = "github.com/pgmq-go/pgmq"

// UserModule makes a module of somebody else's, which requires this one, of files
// by their paths.
func UserModule(t testing.TB, name string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	WriteFiles(t, dir, map[string]string{
		"go.mod": strings.Replace(File(t, Root("go.mod")), "module "+Module, "module "+name, 1) +
			fmt.Sprintf("\nrequire %s v0.0.0\nreplace %s => %s\n", Module, Module, Root()),
		"go.sum": File(t, Root("go.sum")),
	})
	WriteFiles(t, dir, files)
	return dir
}

// WriteFiles writes files below a directory.
func WriteFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(dir, path)
		OK(t, os.MkdirAll(filepath.Dir(path), 0o700))
		OK(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

// File returns the text of a file.
func File(t testing.TB, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	OK(t, err)
	return string(content)
}

// GoIn is the go command in a user's module.
func GoIn(t testing.TB, dir string, args ...string) *osexec.Cmd {
	t.Helper()
	cmd := Cmd(t, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	return cmd
}
