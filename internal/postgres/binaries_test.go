//go:build unix

package postgres

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestBinariesNewestFirstAfterPathAndConfig(t *testing.T) {
	t.Parallel()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(elem ...string) string { return filepath.Join(append([]string{root}, elem...)...) }
	for _, dir := range []string{"path", "config", "lib/9.6/bin", "lib/10/bin", "lib/17/bin", "pgsql-18/bin"} {
		script(t, at(dir, "initdb"), "")
		script(t, at(dir, "postgres"), "")
	}
	script(t, at("half", "initdb"), "")
	script(t, at("lib/20/bin", "postgres"), "")
	script(t, at("path", "pg_config"), `[ "$1" = --bindir ] && echo `+at("config"))
	for _, name := range []string{"initdb", "postgres"} { // Debian's packages do not link them, but people do
		if err := os.MkdirAll(at("links"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(at("lib/17/bin", name), at("links", name)); err != nil {
			t.Fatal(err)
		}
	}

	m := machine{
		path:  at("half") + ":relative:" + at("path") + ":" + at("links"),
		globs: []string{at("lib/*/bin"), at("pgsql-*/bin")},
	}
	got := m.binaries(t.Context())
	want := []string{at("path"), at("lib/17/bin"), at("config"), at("lib/10/bin"), at("lib/9.6/bin"), at("pgsql-18/bin")}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestVersionIn(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]float64{
		"/usr/lib/postgresql/15/bin":            15,
		"/usr/lib/postgresql/9.6/bin":           9.6,
		"/opt/homebrew/opt/postgresql@17/bin":   17,
		"/srv/8/usr/pgsql-18/bin":               18,
		"/Applications/Postgres.app/latest/bin": 0,
	} {
		if got := versionIn(dir); got != want {
			t.Errorf("%s: got %v, want %v", dir, got, want)
		}
	}
}
