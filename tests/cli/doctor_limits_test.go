package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestDoctorDoesNotWaitForLocks(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "locked", "shared", "free")
	tx, err := pool.Begin(t.Context())
	check.OK(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `LOCK TABLE pgmq.q_locked IN ACCESS EXCLUSIVE MODE; LOCK TABLE pgmq.q_shared IN SHARE MODE`)
	check.OK(t, err)
	found := examine() // would wait for ever
	found.has(t, "messages", "unchecked", "locked", "a lock is in the way")
	aside := check.PoolLike(t, pool, func(*pgxpool.Config) {})
	catalogue, err := aside.Begin(t.Context())
	check.OK(t, err)
	_, err = catalogue.Exec(t.Context(), `LOCK TABLE pgmq.meta, pgmq_schema_version`)
	check.OK(t, err)
	found = examine()
	found.has(t, "migrations", "unchecked", "", "no answer in time")
	found.has(t, "queues", "unchecked", "", "a lock is in the way")
	check.OK(t, catalogue.Rollback(t.Context()))

	check.Eventually(t, "it is long enough for a word", func() bool {
		found = examine()
		return len(found.of("locked", "locked")) > 0
	})
	f := found.has(t, "locked", "warning", "locked", "blocks all access to pgmq.q_locked (AccessExclusiveLock)", "idle in transaction")
	found.has(t, "locked", "warning", "shared", "blocks sends to and reads from pgmq.q_shared (ShareLock)")
	_, terminate, _ := strings.Cut(f.Do, "or SELECT")
	check.Exec(t, pool, "SELECT"+terminate)
	check.Eventually(t, "the advice helped", func() bool {
		found = examine()
		return len(found.of("locked", "")) == 1 && len(found.of("messages", "locked")) == 0
	})
	found.fine(t, "locked", "messages")
}

func TestDoctorIsQuickWithAThousandQueues(t *testing.T) {
	check.Slow(t)
	pool, examine := sickQueues(t)
	check.Exec(t, pool, `DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM pgmq.create('q' || i); COMMIT; END LOOP; END $$`)
	check.Exec(t, pool, `UPDATE pgmq.meta SET created_at = created_at - interval '1 day'`)
	began := time.Now()
	found := examine()
	took := time.Since(began)
	t.Logf("it took %v", took)
	if took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	found.has(t, "queues", "ok", "", "1,000 queue(s)")
	found.fine(t, "tables", "orphan_table", "index", "storage", "dead_rows", "locked", "messages")

	locker, err := pool.Begin(t.Context())
	check.OK(t, err)
	defer func() { _ = locker.Rollback(context.Background()) }()
	_, err = locker.Exec(t.Context(), `DO $$ BEGIN FOR i IN 1..200 LOOP EXECUTE format('LOCK TABLE pgmq.q_q%s', i); END LOOP; END $$`)
	check.OK(t, err)
	began = time.Now()
	found = examine()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("with 200 locked queues it took %v", took)
	}
	found.has(t, "messages", "unchecked", "", "a lock is in the way (200 queues: ")
	check.OK(t, locker.Rollback(t.Context()))

	check.Exec(t, pool, `DO $$ BEGIN FOR i IN 1..1000 LOOP EXECUTE format('DROP TABLE pgmq.a_q%s', i); COMMIT; END LOOP; END $$`)
	text, _ := check.Command(t)("doctor", "--database-url", check.DSN(pool)).CombinedOutput()
	check.Contains(t, string(text), "problem    tables: and 990 more, which --json lists\n", " problems")
	check.Equal(t, "findings in JSON", len(examine().sick()), 1000)
}

func TestDoctorIsReadableAtATerminalAndInAFile(t *testing.T) {
	check.Parallel(t)
	pool, _ := sickQueues(t, "q", "x\ty")
	check.Exec(t, pool, `DROP TABLE pgmq.a_q`)
	check.Exec(t, pool, `ALTER TABLE pgmq."q_x	y" SET (autovacuum_enabled = off)`)
	pgmq := check.Command(t)
	url := "--database-url=" + check.DSN(pool)
	file, err := pgmq("doctor", url).Output()
	if err == nil {
		t.Fatal("no exit code")
	}
	const problem = "problem    tables: queue \"q\": pgmq.a_q, its archive, is missing: nothing can be archived\n" +
		"           do: SELECT pgmq.create('q') makes it, SELECT pgmq.drop_queue('q') removes the rest\n"
	check.Contains(t, string(file), "ok         server: PostgreSQL ", problem, `queue "x\ty": autovacuum is off for pgmq."q_x?y"`)
	if strings.ContainsAny(string(file), "\x1b\r\t") {
		t.Errorf("control characters in %q", file)
	}
	plain := onTerminal(t, pgmq("doctor", url), "\n", "NO_COLOR=1")
	narrow(t, plain)
	check.Contains(t, plain, "problem    tables: queue \"q\": pgmq.a_q, its archive, is missing:", "\n           do: SELECT pgmq.create('q')")
	if strings.Contains(plain, "\x1b") {
		t.Errorf("colours in %q", plain)
	}
	check.Contains(t, onTerminal(t, pgmq("doctor", url), "\n"), "\x1b[")
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	check.Contains(t, lines[len(lines)-1], " problems, ")
}

func TestDoctorFindsAnAdoptedPGMQWell(t *testing.T) {
	check.Long(t)
	for _, version := range check.PGMQVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Database(t)
			check.InstallPGMQ(t, pool, version)
			examine := doctor(t, check.DSN(pool))
			found, _ := examine()
			check.Contains(t, found.has(t, "migrations", "problem", "").Do, "docs/adopting.md")
			pgtest.Migrate(t, pool)
			found, _ = examine()
			// A row without a table, and a queue of pg_partman's, of which PGMQ's archive
			// has no such index.
			found.has(t, "tables", "problem", "Orphan", "pgmq.q_orphan")
			found.has(t, "tables", "problem", "Orphan", "pgmq.a_orphan")
			found.has(t, "index", "warning", "parted", "pgmq.a_parted has no index on msg_id")
			found.has(t, "storage", "warning", "parted", "3 of its partitions")
			// Without pg_partman no program maintains it, until pgmq.maintain_partitions takes it on.
			found.has(t, "partitions", "warning", "parted", "pgmq.q_parted has no settings")
			found.has(t, "partitions", "warning", "parted", "pgmq.a_parted has no settings")
			check.Equal(t, "problems and warnings", len(found.sick()), 6)
			found.fine(t, "migrations", "orphan_table", "identity")
			check.Exec(t, pool, `CALL pgmq.maintain_partitions()`)
			check.Eventually(t, "the counters know that the default partition is empty", func() bool {
				found, _ = examine()
				return len(found.of("partitions", "")) > 0
			})
		})
	}
}
