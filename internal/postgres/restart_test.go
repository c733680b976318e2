//go:build unix

package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestRestartCrashesAndKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	m := testMachine(t)
	s := m.mustStart(t)
	conn, err := pgx.Connect(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := ask(t, s.URL, "SELECT n::text FROM kept"); n != "7" {
			t.Errorf("n is %s", n)
		}
	}
	if conn.Ping(t.Context()) == nil {
		t.Error("the old connection is still alive")
	}
	family := marked(t, m.temps[0])
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, m.temps[0], family, 0)
}

func TestOnlyAPrivateServerIsRestarted(t *testing.T) {
	t.Parallel()
	if (&Server{URL: "postgres://nobody@no.such.host.invalid/db"}).Restart(t.Context()) == nil {
		t.Error("no error")
	}
}
