package tests

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
)

func TestTenMigrateCommandsAtOnce(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	var wg sync.WaitGroup
	outs, errs := make([]string, 10), make([]error, 10)
	for i := range outs {
		wg.Go(func() {
			out, err := pgmq("migrate", "up", "--database-url", dsn(pool)).CombinedOutput()
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
	equal(t, "commands that did the work", worked, 1)
}

// Whenever it is killed, up and down alike, the next run completes what it left.
func TestMigrateKilledAtAnyMomentIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	const rounds = 20
	pgmq, pool, whole := command(t), pgtest.Database(t), pgtest.Database(t)
	pgtest.Migrate(t, whole)
	want := catalogue(t, whole)
	url := "--database-url=" + dsn(pool)
	kinds := []*struct {
		args    []string
		takes   time.Duration // so far the longest run
		between int           // kills that found it at work
	}{{args: []string{"migrate", "up", url}}, {args: []string{"migrate", "down", "--all", url}}}
	for _, kind := range kinds {
		began := time.Now()
		output(t, pgmq(kind.args...))
		kind.takes = time.Since(began)
	}
	versions := func() string {
		if !value[bool](t, pool, `SELECT to_regclass($1) IS NOT NULL`, schema.VersionTable) {
			return "none"
		}
		return value[string](t, pool, `SELECT count(*)::text FROM `+schema.VersionTable)
	}
	for range rounds {
		for _, kind := range kinds {
			before := versions()
			cmd := pgmq(kind.args...)
			cmd.Env = append(cmd.Env, "PGAPPNAME=killed")
			ok(t, cmd.Start())
			time.Sleep(rand.N(kind.takes)) // the moment of the kill
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			// The server may not have noticed yet, and be about to commit.
			eventually(t, "its sessions are gone", func() bool {
				return value[int](t, pool, `SELECT count(*)::int FROM pg_stat_activity
					WHERE datname = current_database() AND application_name = 'killed'`) == 0
			})
			if after := versions(); after != before {
				kind.between++
			}
			output(t, pgmq(kind.args...))
			if kind.args[1] == "up" {
				same(t, "the catalogue", catalogue(t, pool), want)
			}
		}
	}
	for _, kind := range kinds {
		t.Logf("%s: %d of %d kills found it at work", kind.args[1], kind.between, rounds)
		if kind.between == 0 {
			t.Errorf("no kill found %s at work: the test shows nothing", kind.args[1])
		}
	}
}

// Migration 14 commits each of its steps.
func TestADownThatDiedRightBeforeItsVersionWasRecordedIsCompleted(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	for value[int](t, pool, `SELECT max(version_id)::int FROM `+schema.VersionTable) > 14 {
		output(t, pgmq("migrate", "down", "--database-url="+dsn(pool)))
	}
	exec(t, pool, `DROP FUNCTION pgmq._apply_storage(text)`)
	output(t, pgmq("migrate", "down", "--all", "--database-url="+dsn(pool)))
}

func TestDryRunPrintsTheSQLAndRunsNone(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)
	empty := catalogue(t, pool)

	up := output(t, pgmq("migrate", "up", "--dry-run", url))
	contains(t, up, "-- 00001_adopt.sql\n", "CREATE SCHEMA IF NOT EXISTS pgmq;", "CREATE OR REPLACE PROCEDURE pgmq.maintain_partitions")
	if strings.Contains(up, "+goose") || strings.Contains(up, "DROP SCHEMA") {
		t.Fatal("goose's words, or the way down, are in the SQL")
	}
	equal(t, "down", output(t, pgmq("migrate", "down", "--dry-run", url)), "-- nothing to do\n")
	same(t, "the catalogue", catalogue(t, pool), empty)

	// It is all that runs, but for the version table.
	exec(t, pool, up)
	migrated := pgtest.Database(t)
	pgtest.Migrate(t, migrated)
	exec(t, migrated, "DROP TABLE "+schema.VersionTable)
	same(t, "the catalogue by hand", catalogue(t, pool), catalogue(t, migrated))

	pool = pgtest.Database(t)
	url = "--database-url=" + dsn(pool)
	pgtest.Migrate(t, pool)
	equal(t, "up", output(t, pgmq("migrate", "up", "--dry-run", url)), "-- nothing to do\n")
	down := output(t, pgmq("migrate", "down", "--dry-run", url))
	files := output(t, pgmq("migrate", "status", url))
	equal(t, "migrations to take back", strings.Count(down, ".sql\n"), 1)
	latest, _, _ := strings.Cut(strings.TrimPrefix(down, "-- "), "\n")
	contains(t, files, latest)
	exec(t, pool, output(t, pgmq("migrate", "down", "--all", "--dry-run", url)))
	same(t, "the catalogue after down", catalogue(t, pool), empty)
}

func TestStatusTellsVersionPendingAndAppliedAt(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)
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
		ok(t, json.Unmarshal([]byte(output(t, cmd)), &s))
		return s
	}
	empty := catalogue(t, pool)
	all := ask()
	n := len(all.Migrations)
	equal(t, "version", all.Version, 0)
	equal(t, "pending", all.Pending, n)
	same(t, "the catalogue", catalogue(t, pool), empty)
	contains(t, output(t, pgmq("migrate", "status", url)), "schema pgmq is at version 0, ", "pending")

	began := serverTime(t)
	pgtest.Migrate(t, pool)
	output(t, pgmq("migrate", "down", url))
	one := ask()
	equal(t, "pending", one.Pending, 1)
	equal(t, "version", one.Version, all.Migrations[n-2].Version)
	if last := one.Migrations[n-1]; last.AppliedAt != nil {
		t.Fatalf("%s was taken back", last.File)
	}
	if at := one.Migrations[0].AppliedAt; at == nil || at.Sub(began).Abs() > patience {
		t.Fatalf("applied at %v, not %v", at, began)
	}

	// A role that may only read may ask, and nobody waits for a migration under way.
	conn, err := pgx.Connect(t.Context(), dsn(pool))
	ok(t, err)
	defer conn.Close(t.Context())
	exec(t, conn, `SELECT pg_advisory_lock($1)`, 0x70676d71)
	equal(t, "pending while somebody migrates", ask("PGOPTIONS=-c default_transaction_read_only=on").Pending, 1)
}
