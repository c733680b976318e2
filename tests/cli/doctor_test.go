package cli

import (
	"context"
	"encoding/json"
	"errors"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// finding is a finding in the output of pgmq doctor --json.
type finding struct{ Check, Level, Queue, What, Do string }

type findings []finding

// doctor returns pgmq doctor --json for a database: its findings and exit code.
func doctor(t testing.TB, url string) func(args ...string) (findings, int) {
	t.Helper()
	pgmq := check.Command(t)
	return func(args ...string) (findings, int) {
		t.Helper()
		for try := 1; ; try++ {
			found, code := examined(t, pgmq(append([]string{"doctor", "--json", "--database-url", url}, args...)...))
			if try == 5 || !found.late() {
				return found, code
			}
		}
	}
}

// late tells whether the server took too long for a question about queues, as it
// may on a machine that is busy.
func (f findings) late() bool {
	return slices.ContainsFunc(f, func(one finding) bool {
		late := one.What == "no answer in time" || strings.HasPrefix(one.What, "it took too long")
		return late && one.Check != "migrations" // which a test locks
	})
}

func examined(t testing.TB, cmd *osexec.Cmd) (found findings, code int) {
	t.Helper()
	out, err := cmd.Output()
	if exit := new(osexec.ExitError); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		check.OK(t, err)
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("%v: %q, exit code %d", err, out, code)
	}
	return found, code
}

// of are the findings of a check about a queue, "" for none.
func (f findings) of(check, queue string) findings {
	var those findings
	for _, one := range f {
		if one.Check == check && one.Queue == queue {
			those = append(those, one)
		}
	}
	return those
}

// has returns the finding of a check, of a level, that says all words.
func (f findings) has(t testing.TB, check, level, queue string, words ...string) finding {
	t.Helper()
	for _, one := range f.of(check, queue) {
		said := one.Level == level
		for _, word := range words {
			said = said && strings.Contains(one.What, word)
		}
		if said {
			return one
		}
	}
	t.Fatalf("no %s of %s about queue %q says %q: %+v", level, check, queue, words, f.of(check, queue))
	return finding{}
}

// fine fails the test unless a check is ok.
func (f findings) fine(t testing.TB, checks ...string) {
	t.Helper()
	for _, check := range checks {
		f.has(t, check, "ok", "")
	}
}

// worse are the findings of some levels.
func (f findings) worse(levels ...string) findings {
	var those findings
	for _, one := range f {
		for _, level := range levels {
			if one.Level == level {
				those = append(those, one)
			}
		}
	}
	return those
}

// sick are the problems and warnings about queues: those about a server that many
// tests use are the others'.
func (f findings) sick() findings {
	var those findings
	for _, one := range f.worse("problem", "warning") {
		switch one.Check {
		case "settings", "open_transaction", "prepared_transaction", "replication_slot", "standby_feedback":
		default:
			those = append(those, one)
		}
	}
	return those
}

func TestDoctorFindsABusyDatabaseHealthy(t *testing.T) {
	check.Long(t)
	server, pool := check.LocalServer(t)
	pgtest.Migrate(t, pool)
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '1000', '1000')`)
	check.Exec(t, pool, `SELECT pgmq.create('Ünï 1')`)
	l := check.SendLoad(t, check.OwnQueue[int64](t, pool, "busy"), 4, time.Millisecond)
	check.Consume(t, check.Open[int64](t, pool, "busy"), l.Handle)
	l.Resumed(t)
	found, code := doctor(t, server.URL)()
	if bad := found.worse("unchecked", "warning", "problem"); len(bad) > 0 {
		t.Fatalf("%+v", bad)
	}
	check.Equal(t, "the exit code", code, 0)
	found.has(t, "settings", "notice", "", "idle_in_transaction_session_timeout")
	found.has(t, "queues", "ok", "", "3 queue(s)")
	found.fine(t, "server", "pooler", "clock", "migrations", "open_transaction", "prepared_transaction", "replication_slot", "standby_feedback",
		"tables", "orphan_table", "index", "storage", "dead_rows", "bloat", "unlogged", "partitions", "locked", "messages")
	check.Eventually(t, "it is healthy", func() bool {
		out, _ := check.Command(t)("doctor", "--database-url", server.URL).Output()
		return strings.Contains(string(out), "\nhealthy, 1 notice\n")
	})
	l.Settled(t, pool, "busy")
}

func TestDoctorFindsUnsafeSettings(t *testing.T) {
	check.Parallel(t)
	server, pool := check.LocalServer(t, "fsync=off", "full_page_writes=off", "autovacuum=off", "track_counts=off")
	examine := doctor(t, server.URL)
	check.Exec(t, pool, `ALTER DATABASE postgres SET synchronous_commit = off`)
	check.Exec(t, pool, `ALTER DATABASE postgres SET default_transaction_read_only = on`)
	found, code := examine()
	check.Equal(t, "the exit code", code, 4)
	for setting, level := range map[string]string{"fsync": "problem", "full_page_writes": "warning", "autovacuum": "problem", "track_counts": "problem"} {
		f := found.has(t, "settings", level, "", setting+" is off")
		check.Contains(t, f.Do, "command line")
	}
	found.has(t, "server", "problem", "", "default_transaction_read_only")
	check.Exec(t, pool, "SET default_transaction_read_only = off; "+found.has(t, "settings", "warning", "", "synchronous_commit").Do)
	check.Exec(t, pool, `SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only`)
	check.Exec(t, pool, found.has(t, "settings", "notice", "", "idle_in_transaction").Do[:len(`ALTER SYSTEM SET idle_in_transaction_session_timeout = '5min'`)])
	check.Exec(t, pool, `SELECT pg_reload_conf()`)
	check.Eventually(t, "the advice helped", func() bool {
		found, _ := examine()
		return len(found.of("settings", "")) == 4
	})
	found, _ = examine()
	found.fine(t, "server")
}

func TestDoctorReadsTheStateOfTheMigrations(t *testing.T) {
	check.Long(t)
	pool := pgtest.Database(t)
	pgmq, examine := check.Command(t), doctor(t, check.DSN(pool))
	found, code := examine()
	check.Equal(t, "the exit code", code, 4)
	check.Contains(t, found.has(t, "migrations", "problem", "").Do, "pgmq migrate up")
	check.Equal(t, "findings about queues", len(found.of("queues", "")), 0)
	pgtest.Migrate(t, pool)
	found, _ = examine()
	found.has(t, "migrations", "ok", "")

	check.Exec(t, pool, `INSERT INTO pgmq_schema_version (version_id, is_applied) VALUES (99999, true)`)
	found, _ = examine()
	found.has(t, "migrations", "notice", "", "99999", "newer than this command by 1 migration")
	found.fine(t, "messages")
	check.Contains(t, check.Output(t, pgmq("migrate", "status", "--database-url", check.DSN(pool))), "99999", "(newer than this command)")
	check.Exec(t, pool, `DELETE FROM pgmq_schema_version WHERE version_id = 99999`)

	check.Output(t, pgmq("migrate", "down", "--database-url", check.DSN(pool)))
	found, _ = examine()
	found.has(t, "migrations", "warning", "", "1 migration pending")
	for range 9 { // to where the queues are there, and not all that is asked about them
		check.Output(t, pgmq("migrate", "down", "--database-url", check.DSN(pool)))
	}
	found, _ = examine()
	f := found.has(t, "partitions", "unchecked", "")
	check.Contains(t, f.Do, "pgmq migrate up")
}

func TestDoctorSeesAPooler(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	check.OK(t, admin.Create(t.Context(), pool, "q"))
	pgmq := check.Command(t)
	for mode, level := range map[string]string{"transaction": "notice", "session": "ok"} {
		through := check.StartBouncer(t, mode).URL(pool)
		for _, exec := range []string{"", "simple_protocol", "cache_describe"} {
			url := through
			if exec != "" {
				url += "&default_query_exec_mode=" + exec
			}
			found, _ := examined(t, pgmq("doctor", "--json", "--database-url", url))
			f := found.has(t, "pooler", level, "")
			check.Contains(t, f.What, "pooler")
			found.fine(t, "messages", "migrations", "index")
		}
	}
}

func TestDoctorSaysWhenItCannotLook(t *testing.T) {
	check.Parallel(t)
	pgmq := check.Command(t)
	check.Failure(t, pgmq("doctor", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "127.0.0.1:1", "refused")
	check.Failure(t, pgmq("doctor", "--json", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer")
	check.Failure(t, pgmq("doctor", "x"), 2, "--help")
	check.Failure(t, pgmq("doctor", "--max-transaction", "0s"), 2, "--max-transaction")
}

func TestDoctorTellsWhatARoleMayNotSee(t *testing.T) {
	check.Long(t)
	server, pool := check.LocalServer(t, "fsync=on")
	pgtest.Migrate(t, pool)
	for _, name := range []string{"orders", "others", "parted"} {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	holder, err := pool.Begin(t.Context())
	check.OK(t, err)
	defer func() { _ = holder.Rollback(context.Background()) }()
	_, err = holder.Exec(t.Context(), "SELECT pg_current_xact_id()")
	check.OK(t, err)
	pgmq := check.Command(t)
	as := func(role *pgxpool.Pool, args ...string) (findings, int) {
		cmd := pgmq(append([]string{"doctor", "--json", "--database-url", server.URL}, args...)...)
		cmd.Env = append(cmd.Env, "PGOPTIONS=-c role="+role.Config().ConnConfig.RuntimeParams["role"])
		return examined(t, cmd)
	}

	found, code := as(check.RoleOn(t, pool, "nobody"))
	check.Equal(t, "the exit code", code, 3)
	found.fine(t, "server", "pooler", "replication_slot")
	f := found.has(t, "migrations", "unchecked", "", "permission denied")
	check.Contains(t, f.Do, "docs/roles.md")
	found.has(t, "queues", "unchecked", "", "permission denied")
	check.Contains(t, found.has(t, "open_transaction", "unchecked", "", "1 transaction(s)").Do, "pg_read_all_stats")

	found, code = as(check.DocumentedOn(t, pool, "orders", "Monitor"))
	check.Equal(t, "the exit code", code, 3)
	found.fine(t, "migrations", "tables", "index", "storage", "partitions", "locked")
	found.has(t, "messages", "unchecked", "", "permission denied for table q_others", `(2 queues: "others", "parted")`)

	found, code = as(check.RoleOn(t, pool, "monitor", "GRANT pg_monitor", "GRANT SELECT ON public.pgmq_schema_version"), "--max-transaction", "1ms")
	check.Equal(t, "what a member of pg_monitor may not see", len(found.worse("unchecked")), 0)
	found.has(t, "open_transaction", "problem", "")
	check.Equal(t, "the exit code", code, 4)
}
