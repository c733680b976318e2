//go:build unix

package postgres

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestRestartKeepsWhatWasCommitted(t *testing.T) {
	long(t)
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
	for _, how := range []Shutdown{Fast, Immediate, Killed, Killed} {
		if err := s.Restart(t.Context(), how); err != nil {
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

func TestAServerStandsUpAgainUntilItIsToStopThat(t *testing.T) {
	long(t)
	t.Parallel()
	s := testMachine(t).mustStart(t)
	stop, err := s.StandUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	quit := func() (began time.Time) {
		began, err := startTime(t.Context(), s.URL)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.Fields(ask(t, s.URL, "SELECT pg_read_file('postmaster.pid')"))[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := send(pid, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		return began
	}
	began := quit()
	eventually(t, "it has started again", func() bool {
		at, err := startTime(t.Context(), s.URL)
		return err == nil && !at.Equal(began)
	})
	stop()
	quit()
	eventually(t, "it has ended for good", func() bool {
		select {
		case <-s.guard.done:
			return true
		default:
			return false
		}
	})
}

func TestOnlyAPrivateServerIsRestarted(t *testing.T) {
	t.Parallel()
	if (&Server{URL: "postgres://nobody@no.such.host.invalid/db"}).Restart(t.Context(), Fast) == nil {
		t.Error("no error")
	}
}

func TestAStandbyFollowsAndTakesOver(t *testing.T) {
	long(t)
	t.Parallel()
	m := testMachine(t)
	primary := m.mustStart(t)
	conn, err := pgx.Connect(t.Context(), primary.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	standby, err := m.start(t.Context(), primary, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the standby has it", func() bool {
		return ask(t, standby.URL, "SELECT (to_regclass('kept') IS NOT NULL)::text") == "true"
	})
	if n := ask(t, standby.URL, "SELECT n::text FROM kept"); n != "7" {
		t.Errorf("n is %s", n)
	}
	if err := primary.Stop(); err != nil {
		t.Error(err)
	}
	if is := ask(t, standby.URL, "SELECT pg_promote() || ' ' || pg_is_in_recovery()"); is != "true false" {
		t.Errorf("promoted and in recovery: %s", is)
	}
	family := marked(t, m.temps[0])
	if err := standby.Stop(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, m.temps[0], family, 0)
}
