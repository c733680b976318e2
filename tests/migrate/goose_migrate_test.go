package migrate

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestTenMigrateCommandsAtOnce(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	var wg sync.WaitGroup
	outs, errs := make([]string, 10), make([]error, 10)
	for i := range outs {
		wg.Go(func() {
			out, err := pgmq("migrate", "up", "--database-url", check.DSN(pool)).CombinedOutput()
			outs[i], errs[i] = string(out), err
		})
	}
	wg.Wait()
	worked := 0
	for i, out := range outs {
		if errs[i] != nil {
			t.Errorf("%v: %s", errs[i], out)
		}
		if strings.Contains(out, "applied 00001_adopt.sql") {
			worked++
		}
	}
	check.Equal(t, "commands that did the work", worked, 1)
}

// Whenever it is killed, up and down alike, the next run completes the rest.
func TestMigrateKilledAtAnyMomentIsCompletedByTheNext(t *testing.T) {
	check.Long(t)
	const rounds, most = 5, 40
	pgmq, pool, whole := check.Command(t), pgtest.Database(t), check.OwnDatabase(t)
	want := check.Catalogue(t, whole)
	url := "--database-url=" + check.DSN(pool)
	// The number of migrations that are applied, 0 without a version table.
	applied := func(in *pgxpool.Pool) (n int) {
		err := in.QueryRow(t.Context(), `SELECT count(*) FROM `+schema.VersionTable+` WHERE version_id > 0`).Scan(&n)
		if pgErr, is := errors.AsType[*pgconn.PgError](err); !is || pgErr.Code != "42P01" {
			check.OK(t, err)
		}
		return n
	}
	all := applied(whole)
	kinds := []*struct {
		args  []string
		ends  int // with so many migrations applied
		found int // kills that found it at work
	}{{args: []string{"migrate", "up", url}, ends: all}, {args: []string{"migrate", "down", "--all", url}}}
	shown := func() bool { return kinds[0].found >= 2 && kinds[1].found >= 2 }
	for round := 0; round < rounds || round < most && !shown(); round++ {
		for _, kind := range kinds {
			before, steps := applied(pool), 1+rand.IntN(all-1)
			cmd := pgmq(kind.args...)
			cmd.Env = append(cmd.Env, "PGAPPNAME=killed")
			check.OK(t, cmd.Start())
			check.Eventually(t, "it took some steps", func() bool {
				now := applied(pool)
				return now == kind.ends || max(now-before, before-now) >= steps
			})
			time.Sleep(rand.N(5 * time.Millisecond)) // into the next step
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			// The server may not have noticed yet, and be about to commit.
			check.Eventually(t, "its sessions are gone", func() bool {
				return check.Value[int](t, pool, `SELECT count(*)::int FROM pg_stat_activity
					WHERE datname = current_database() AND application_name = 'killed'`) == 0
			})
			if after := applied(pool); after != before && after != kind.ends {
				kind.found++
			}
			check.Output(t, pgmq(kind.args...))
			check.Equal(t, "migrations applied", applied(pool), kind.ends)
		}
	}
	check.Output(t, pgmq(kinds[0].args...))
	check.Same(t, "the catalogue", check.Catalogue(t, pool), want)
	for _, kind := range kinds {
		t.Logf("%s: %d kills found it at work", kind.args[1], kind.found)
		if kind.found == 0 {
			t.Errorf("no kill found %s at work: the test shows nothing", kind.args[1])
		}
	}
}

// Migration 14 commits each of its steps.
func TestADownThatDiedRightBeforeItsVersionWasRecordedIsCompleted(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), check.OwnDatabase(t)
	for check.Value[int](t, pool, `SELECT max(version_id)::int FROM `+schema.VersionTable) > 14 {
		check.Output(t, pgmq("migrate", "down", "--database-url="+check.DSN(pool)))
	}
	check.Exec(t, pool, `DROP FUNCTION pgmq._apply_storage(text)`)
	check.Output(t, pgmq("migrate", "down", "--all", "--database-url="+check.DSN(pool)))
}

func TestDryRunPrintsTheSQLAndRunsNone(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	empty := check.Catalogue(t, pool)

	up := check.Output(t, pgmq("migrate", "up", "--dry-run", url))
	check.Contains(t, up, "-- 00001_adopt.sql\n", "CREATE SCHEMA IF NOT EXISTS pgmq;", "CREATE OR REPLACE PROCEDURE pgmq.maintain_partitions")
	if strings.Contains(up, "+goose") || strings.Contains(up, "DROP SCHEMA") {
		t.Fatal("goose's words, or the way down, are in the SQL")
	}
	check.Equal(t, "down", check.Output(t, pgmq("migrate", "down", "--dry-run", url)), "-- nothing to do\n")
	check.Same(t, "the catalogue", check.Catalogue(t, pool), empty)

	// It is all that runs, but for the version table.
	check.Exec(t, pool, up)
	migrated := check.OwnDatabase(t)
	check.Exec(t, migrated, "DROP TABLE "+schema.VersionTable)
	check.Same(t, "the catalogue by hand", check.Catalogue(t, pool), check.Catalogue(t, migrated))

	pool = pgtest.Database(t)
	url = "--database-url=" + check.DSN(pool)
	pgtest.Migrate(t, pool)
	check.Equal(t, "up", check.Output(t, pgmq("migrate", "up", "--dry-run", url)), "-- nothing to do\n")
	down := check.Output(t, pgmq("migrate", "down", "--dry-run", url))
	files := check.Output(t, pgmq("migrate", "status", url))
	check.Equal(t, "migrations to take back", strings.Count(down, ".sql\n"), 1)
	latest, _, _ := strings.Cut(strings.TrimPrefix(down, "-- "), "\n")
	check.Contains(t, files, latest)
	check.Exec(t, pool, check.Output(t, pgmq("migrate", "down", "--all", "--dry-run", url)))
	check.Same(t, "the catalogue after down", check.Catalogue(t, pool), empty)
}

func TestStatusTellsVersionPendingAndAppliedAt(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	type status struct {
		Version, Pending int
		Migrations       []struct {
			Version   int
			File      string
			AppliedAt *time.Time `json:"applied_at"`
		}
	}
	ask := func(env ...string) (s status) {
		t.Helper()
		cmd := pgmq("migrate", "status", "--json", url)
		cmd.Env = append(cmd.Env, env...)
		check.OK(t, json.Unmarshal([]byte(check.Output(t, cmd)), &s))
		return s
	}
	empty := check.Catalogue(t, pool)
	all := ask()
	n := len(all.Migrations)
	check.Equal(t, "version", all.Version, 0)
	check.Equal(t, "pending", all.Pending, n)
	check.Same(t, "the catalogue", check.Catalogue(t, pool), empty)
	check.Contains(t, check.Output(t, pgmq("migrate", "status", url)), "schema pgmq is at version 0, ", "pending")

	began := check.ServerTime(t)
	pgtest.Migrate(t, pool)
	check.Output(t, pgmq("migrate", "down", url))
	one := ask()
	check.Equal(t, "pending", one.Pending, 1)
	check.Equal(t, "version", one.Version, all.Migrations[n-2].Version)
	if last := one.Migrations[n-1]; last.AppliedAt != nil {
		t.Fatalf("%s was taken back", last.File)
	}
	if at := one.Migrations[0].AppliedAt; at == nil || at.Sub(began).Abs() > check.Patience {
		t.Fatalf("applied at %v, not %v", at, began)
	}

	// A role that may only read may ask, and no query waits for a running migration.
	conn, err := pgx.Connect(t.Context(), check.DSN(pool))
	check.OK(t, err)
	defer conn.Close(t.Context())
	check.Exec(t, conn, `SELECT pg_advisory_lock($1)`, 0x70676d71)
	check.Equal(t, "pending while somebody migrates", ask("PGOPTIONS=-c default_transaction_read_only=on").Pending, 1)
}
