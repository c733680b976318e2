package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// sickQueues are a database with defective queues.
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
	check.Long(t)
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
