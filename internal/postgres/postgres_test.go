//go:build unix

package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestFindReturnsTheGivenURLWithoutDialling(t *testing.T) {
	t.Parallel()
	const url = "postgres://nobody@no.such.host.invalid/db"
	s, err := Find(t.Context(), url, "fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	if s.URL != url || s.Origin != "--database-url" {
		t.Errorf("got %+v", s)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestFindPrefersLocalBinaries(t *testing.T) {
	t.Parallel()
	s, err := testMachine(t).find(t.Context(), "", []string{"fsync=off"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Origin, "PostgreSQL ") || !strings.Contains(s.Origin, ", private, from /") {
		t.Errorf("origin %q", s.Origin)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestFindTellsWhatToInstall(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	m.path, m.globs = "", nil
	s, err := m.find(t.Context(), "", nil)
	if s != nil || !errors.Is(err, ErrNone) {
		t.Fatalf("got %v, %v", s, err)
	}
	for _, hint := range []string{
		"apt-get install postgresql", "brew install postgresql@17", "Docker", "--database-url", "DATABASE_URL",
	} {
		if !strings.Contains(err.Error(), hint) {
			t.Errorf("no %q in %q", hint, err)
		}
	}
}

func TestFindDoesNotGoOnWhenCancelled(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	m.path = fakeDocker(t).dir + ":" + m.path
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := m.find(ctx, "", nil); s != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestStopOfNothing(t *testing.T) {
	t.Parallel()
	var none *Server
	if err := errors.Join(none.Stop(), (&Server{}).Stop()); err != nil {
		t.Error(err)
	}
}
