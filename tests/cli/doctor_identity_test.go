package cli

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestDoctorFindsTablesWithoutAnIdentity(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "plain", "keyless")
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '1000'), pgmq.create_partitioned('daily', '1 day', '7 days')`)
	examine().fine(t, "identity")
	check.Exec(t, pool, `ALTER TABLE pgmq.a_keyless DROP CONSTRAINT a_keyless_pkey; ALTER TABLE pgmq.q_parted DROP CONSTRAINT q_parted_pkey`)
	found := examine()
	found.has(t, "identity", "notice", "", "pgmq.a_keyless")
	found.has(t, "identity", "notice", "", "pgmq.q_parted_default")
	check.Exec(t, pool, `CREATE PUBLICATION capture FOR TABLES IN SCHEMA pgmq`)
	for _, f := range examine().of("identity", "") {
		check.Equal(t, "level of what is published", f.Level, "problem")
		advice(t, pool, f)
	}
	examine().fine(t, "identity")
}

func TestDoctorFindsPartitionsThatNobodyMaintains(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "plain")
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '1000'); DELETE FROM pgmq.partitioned_tables`)
	found := examine()
	found.has(t, "partitions", "warning", "parted", "pgmq.q_parted has no settings")
	found.has(t, "partitions", "warning", "parted", "pgmq.a_parted has no settings")
	check.Contains(t, check.Output(t, check.Command(t)("maintain", "--database-url", check.DSN(pool))), "took on q_parted")
	examine().fine(t, "partitions")
}

// Infinite times fail the checks of no queue.
func TestDoctorTakesTimesWithoutEnd(t *testing.T) {
	check.Parallel(t)
	pool, examine := sickQueues(t, "never", "always", "ancient", "future")
	check.Exec(t, pool, `
		SELECT pgmq.send('never', '1', 'infinity'::timestamptz), pgmq.send('always', '1', '-infinity'::timestamptz),
			pgmq.send('ancient', '1', '4713-01-01 BC'::timestamptz), pgmq.send('future', '1', '294276-01-01'::timestamptz)`)
	found := examine()
	for _, f := range found.worse("unchecked") {
		if f.Check == "messages" {
			t.Errorf("queue %q: %s", f.Queue, f.What)
		}
	}
	found.has(t, "unread", "warning", "always", "waited")
	found.has(t, "unread", "warning", "ancient", "waited")
	check.Equal(t, "unread messages that nobody can see", len(found.of("unread", "never"))+len(found.of("unread", "future")), 0)
}
