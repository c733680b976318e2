package cli

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// sickQueues are a database with queues that something is the matter with.
func sickQueues(t testing.TB, names ...string) (*pgxpool.Pool, func(...string) findings) {
	t.Helper()
	pool := check.OwnDatabase(t)
	for _, name := range names {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	examine := doctor(t, check.DSN(pool))
	return pool, func(args ...string) findings {
		t.Helper()
		found, _ := examine(args...)
		return found
	}
}

// advice runs the first statement that a finding names.
func advice(t testing.TB, pool *pgxpool.Pool, f finding) {
	t.Helper()
	do, _, _ := strings.Cut(f.Do, ", or ")
	do, _, _ = strings.Cut(do, "; or ")
	for _, after := range []string{" makes it", " lists the queue again"} {
		do, _, _ = strings.Cut(do, after)
	}
	if _, statement, found := strings.Cut(do, ": "); found {
		do = statement
	}
	check.Exec(t, pool, do)
}

func TestDoctorFindsWhatIsMissingAndWhatIsLeft(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "Lost", "bare", "orphan")
	check.Exec(t, pool, `DROP TABLE pgmq.q_lost, pgmq.a_bare`)
	check.Exec(t, pool, `DELETE FROM pgmq.meta WHERE queue_name = 'orphan'`)
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('big')`)
	check.Exec(t, pool, `DELETE FROM pgmq.meta WHERE queue_name = 'big'`)
	check.Exec(t, pool, `SELECT pgmq.create('old'), pgmq.convert_archive_partitioned('old')`)
	check.Exec(t, pool, `CREATE TABLE pgmq.q_and_answers (question text); CREATE TABLE pgmq.quiet (msg_id bigint, vt timestamptz)`)
	found := examine()
	lost := found.has(t, "tables", "problem", "Lost", "pgmq.q_lost", "nobody can send")
	bare := found.has(t, "tables", "problem", "bare", "pgmq.a_bare", "archive")
	check.Equal(t, "findings about tables", len(found.of("tables", "Lost"))+len(found.of("tables", "bare")), 2)
	one := found.has(t, "orphan_table", "warning", "", "pgmq.q_orphan")
	big := found.has(t, "orphan_table", "warning", "", "pgmq.q_big")
	found.has(t, "orphan_table", "warning", "", "pgmq.a_orphan")
	found.has(t, "orphan_table", "notice", "", "pgmq.a_old_old")
	check.Equal(t, "findings about what is left", len(found.of("orphan_table", "")), 5)
	found.fine(t, "index", "storage", "messages")

	for _, f := range []finding{lost, bare, one, big} {
		advice(t, pool, f)
	}
	check.Exec(t, pool, `DROP TABLE pgmq.a_old_old`)
	found = examine()
	found.fine(t, "tables", "orphan_table", "index", "storage")
	check.Equal(t, "queues that are listed", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.meta`), 5)
}

func TestDoctorFindsIndexesThatAreMissingOrShouldBe(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "q", "ungrouped", "adopted", "broken")
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted')`)
	check.Exec(t, pool, `ALTER TABLE pgmq.q_q DROP CONSTRAINT q_q_pkey; ALTER TABLE pgmq.a_q DROP CONSTRAINT a_q_pkey; DROP INDEX pgmq.archived_at_idx_q`)
	check.Exec(t, pool, `CREATE INDEX ON pgmq.q_q (msg_id) WHERE read_ct > 100`) // which finds a few only
	check.Exec(t, pool, fmt.Sprintf(`DROP INDEX %s`, check.Value[string](t, pool,
		`SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'pgmq.q_ungrouped'::regclass AND NOT indisunique`)))
	check.Exec(t, pool, `CREATE INDEX q_adopted_vt_idx ON pgmq.q_adopted (vt)`)
	check.Exec(t, pool, `INSERT INTO pgmq.q_broken (vt) VALUES (now()), (now())`)
	if _, err := pool.Exec(t.Context(), `CREATE UNIQUE INDEX CONCURRENTLY broken_idx ON pgmq.q_broken (read_ct)`); err == nil {
		t.Fatal("the index is valid")
	}
	check.Exec(t, pool, `DROP INDEX pgmq.archived_at_idx_parted`)
	found := examine()
	all := []finding{
		found.has(t, "index", "problem", "q", "pgmq.q_q", "msg_id"),
		found.has(t, "index", "warning", "q", "pgmq.a_q", "msg_id"),
		found.has(t, "index", "warning", "q", "pgmq.a_q", "archived_at"),
		found.has(t, "index", "notice", "ungrouped", "groups"),
		found.has(t, "index", "warning", "adopted", "pgmq.q_adopted_vt_idx"),
		found.has(t, "index", "warning", "parted", "pgmq.a_parted", "archived_at"),
	}
	broken := found.has(t, "index", "warning", "broken", "pgmq.broken_idx", "invalid")
	check.Contains(t, broken.Do, "REINDEX INDEX CONCURRENTLY pgmq.broken_idx")
	check.Equal(t, "findings", len(found.sick()), len(all)) // a notice, and the broken one
	for _, f := range all {
		advice(t, pool, f)
	}
	check.Exec(t, pool, `DROP INDEX pgmq.broken_idx`)
	examine().fine(t, "index")
}

func TestDoctorFindsStorageThatDiffers(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "adopted", "unvacuumed", "chosen")
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted')`)
	check.Exec(t, pool, `SELECT pgmq.create_unlogged('fast')`)
	check.Exec(t, pool, `ALTER TABLE pgmq.q_adopted RESET (autovacuum_vacuum_threshold, fillfactor)`)
	check.Exec(t, pool, `ALTER TABLE pgmq.q_unvacuumed SET (autovacuum_enabled = off); ALTER TABLE pgmq.a_unvacuumed SET (autovacuum_enabled = false)`)
	check.Exec(t, pool, `ALTER TABLE pgmq.q_chosen SET (autovacuum_enabled = on, autovacuum_vacuum_threshold = 17)`)
	check.Exec(t, pool, `ALTER TABLE pgmq."q_parted$0" RESET (fillfactor)`)
	found := examine()
	adopted := found.has(t, "storage", "warning", "adopted", "pgmq.q_adopted")
	check.Contains(t, adopted.Do, "_apply_storage('adopted')")
	all := []finding{
		adopted,
		found.has(t, "storage", "problem", "unvacuumed", "pgmq.q_unvacuumed"),
		found.has(t, "storage", "problem", "unvacuumed", "pgmq.a_unvacuumed"),
		found.has(t, "storage", "warning", "parted", `pgmq."q_parted$0"`),
	}
	check.Equal(t, "findings about what was chosen", len(found.of("storage", "chosen")), 0)
	check.Contains(t, found.has(t, "unlogged", "notice", "fast").Do, "SET LOGGED")
	for _, f := range all {
		advice(t, pool, f)
	}
	advice(t, pool, found.has(t, "unlogged", "notice", "fast"))
	examine().fine(t, "storage", "unlogged")
}

func TestDoctorFindsDeadRowsAndWhatTheyLeave(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "dead", "fresh", "large")
	for _, name := range []string{"dead", "fresh"} {
		check.Exec(t, pool, check.Tables(name, `ALTER TABLE {Q} SET (autovacuum_enabled = off)`))
		check.Exec(t, pool, check.Tables(name, `INSERT INTO {Q} (vt) SELECT now() FROM generate_series(1, 20000)`))
		check.Exec(t, pool, check.Tables(name, `DELETE FROM {Q}`))
	}
	check.Exec(t, pool, `UPDATE pgmq.meta SET created_at = now() - interval '1 hour' WHERE queue_name = 'dead'`)
	var found findings
	check.Eventually(t, "the statistics are there", func() bool {
		found = examine()
		return len(found.of("dead_rows", "dead")) == 1
	})
	f := found.has(t, "dead_rows", "warning", "dead", "pgmq.q_dead has 20,000 dead rows and 0 live ones", "never vacuumed")
	check.Equal(t, "findings about a new queue, to which vacuum will come", len(found.of("dead_rows", "fresh")), 0)
	do, _, _ := strings.Cut(f.Do, "; ")
	check.Exec(t, pool, do)
	check.Eventually(t, "the statistics are there", func() bool { return len(examine().of("dead_rows", "dead")) == 0 })

	// One message at the end keeps the table as long as it is.
	check.Exec(t, pool, `ALTER TABLE pgmq.q_large SET (fillfactor = 10)`)
	check.Exec(t, pool, `INSERT INTO pgmq.q_large (vt, message) SELECT now(), to_jsonb(repeat('x', 1000)) FROM generate_series(1, 10000)`)
	check.Exec(t, pool, `DELETE FROM pgmq.q_large WHERE msg_id < (SELECT max(msg_id) FROM pgmq.q_large)`)
	check.Exec(t, pool, `VACUUM pgmq.q_large`)
	f = examine().has(t, "bloat", "notice", "large", "for 1 message")
	check.Contains(t, f.Do, "VACUUM FULL pgmq.q_large")
	check.Exec(t, pool, `VACUUM FULL pgmq.q_large`)
	examine().fine(t, "bloat")
}

func TestDoctorFindsPartitionsThatNobodyMakes(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t)
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '100000', 2), pgmq.create_partitioned('daily', '1 day', '7 days', 2)`)
	examine().fine(t, "partitions")
	send := func(n int) { check.SendBatch(t, check.Open[check.Order](t, pool, "parted"), make([]check.Order, n)) }
	send(150) // one of those to come is missing
	examine().fine(t, "partitions")
	send(100)
	found := examine()
	found.has(t, "partitions", "warning", "parted", "pgmq.q_parted has no next partition")
	found.has(t, "partitions", "warning", "parted", "pgmq.a_parted has no next partition")
	send(100)
	examine().has(t, "partitions", "warning", "parted", "pgmq.q_parted has no partition for current messages")
	maintain := func() { check.Output(t, check.Command(t)("maintain", "--database-url", check.DSN(pool))) }
	says := func(words string) func() bool { // as soon as the statistics do
		return func() bool {
			said := examine().of("partitions", "parted")
			return len(said) == 0 && words == "" || len(said) == 1 && strings.Contains(said[0].What, words)
		}
	}
	maintain()
	check.Eventually(t, "the advice helped", says(""))
	check.Exec(t, pool, `INSERT INTO pgmq.q_parted (msg_id, vt) VALUES (-1, now())`)
	check.Eventually(t, "a message without a partition is found", says("pgmq.q_parted has about 1 message(s) in its default partition"))
	maintain()
	check.Eventually(t, "the advice helped again", says(""))
}

func TestDoctorFindsMessagesThatNobodyReadsOrSettles(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "idle", "poison", "Ünï 1", "well")
	for _, name := range []string{"idle", "poison", "Ünï 1", "well"} {
		check.SendBatch(t, check.Open[check.Order](t, pool, name), make([]check.Order, 5))
	}
	check.Exec(t, pool, `UPDATE pgmq.q_idle SET vt = now() - interval '2 hours' WHERE msg_id = 3`)
	check.Exec(t, pool, `UPDATE pgmq.q_poison SET read_ct = 4711, vt = now() + interval '1 hour' WHERE msg_id = 4`)
	check.Exec(t, pool, `UPDATE pgmq.q_well SET read_ct = 9, vt = now() - interval '59 minutes'`)
	check.Exec(t, pool, `UPDATE pgmq."q_ünï 1" SET read_ct = 10`)
	found := examine()
	found.has(t, "unread", "warning", "idle", "waited for 2h0m")
	found.has(t, "poison", "warning", "poison", "message 4 was read 4,711 times and never settled")
	found.has(t, "poison", "warning", "Ünï 1", "message 1 was read 10 times and never settled, and 4 more of the oldest at least 10 times")
	check.Equal(t, "all there is", len(found.sick()), 3)
}

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
	check.Parallel(t)
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
			check.Equal(t, "problems and warnings", len(found.sick()), 4)
			found.fine(t, "migrations", "orphan_table", "partitions")
		})
	}
}
