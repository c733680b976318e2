package sql

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func settings(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	all := check.Values[string](t, pool, `
		SELECT concat_ws(' ', prefix || '_' || queue_name, partition_interval, 'keep', coalesce(retention_interval, 'all')) FROM pgmq.partitioned_tables`)
	slices.Sort(all)
	return all
}

// A partitioned queue without settings gets settings again.
func TestPartitionsWithoutSettingsAreTakenOn(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	likePGMQ(t, pool)
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('own', '100', '1000'), pgmq.create_partitioned('months', 'monthly', 'yearly'), pgmq.create_partitioned('weeks', '1 week', '1 year')`)
	check.Exec(t, pool, `DELETE FROM pgmq.partitioned_tables`)
	for _, name := range []string{"own", "theirs"} {
		check.Exec(t, pool, `SELECT pgmq.send_batch($1, array_agg('1'::jsonb)) FROM generate_series(1, 2250)`, name)
	}
	check.Exec(t, pool, `CALL pgmq.maintain_partitions()`)
	check.Same(t, "settings", settings(t, pool), []string{
		"a_months 1 mon keep all", "a_own 100 keep all", "a_weeks 7 days keep all",
		"q_months 1 mon keep all", "q_own 100 keep all", "q_theirs 100 keep all", "q_weeks 7 days keep all",
	})
	for _, name := range []string{"own", "theirs"} {
		check.Equal(t, "left in the default partition", check.Value[int64](t, pool, `SELECT count(*) FROM pgmq.q_`+name+`_default`), 0)
		check.Equal(t, "messages", check.Value[int64](t, pool, `SELECT queue_length FROM pgmq.metrics($1)`, name), 2250)
	}
	before := check.Value[int64](t, pool, `SELECT count(*) FROM pg_inherits`)
	check.Exec(t, pool, `CALL pgmq.maintain_partitions()`)
	check.Equal(t, "partitions made the second time", check.Value[int64](t, pool, `SELECT count(*) FROM pg_inherits`)-before, 0)

	// Or with settings of the user's choice.
	check.Exec(t, pool, `DELETE FROM pgmq.partitioned_tables; DELETE FROM pgmq.meta WHERE queue_name <> 'theirs'`)
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('own', '100', '500'), pgmq.set_partition_retention('theirs', '700')`)
	check.Same(t, "settings", settings(t, pool), []string{"a_own 100 keep 500", "q_own 100 keep 500", "q_theirs 100 keep 700"})
	check.Equal(t, "listed as partitioned", check.Value[bool](t, pool, `SELECT is_partitioned FROM pgmq.meta WHERE queue_name = 'own'`), true)
}

// pg_partman may have drawn bounds elsewhere.
func TestNewPartitionsFitBetweenThoseThatAreThere(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	likePGMQ(t, pool)
	check.Exec(t, pool, `
		CREATE TABLE pgmq.q_theirs_p250 PARTITION OF pgmq.q_theirs FOR VALUES FROM ('250') TO ('350');
		CREATE TABLE pgmq.q_theirs_p430 PARTITION OF pgmq.q_theirs FOR VALUES FROM ('430') TO ('530')`)
	check.Exec(t, pool, `SELECT pgmq.send_batch('theirs', array_agg('1'::jsonb)) FROM generate_series(1, 900)`)
	check.Exec(t, pool, `CALL pgmq.maintain_partitions()`)
	check.Equal(t, "left in the default partition", check.Value[int64](t, pool, `SELECT count(*) FROM pgmq.q_theirs_default`), 0)
	check.Equal(t, "messages", check.Value[int64](t, pool, `SELECT count(*) FROM pgmq.q_theirs`), 900)
}

func TestIntervalsMayBeTheWordsOfPartman(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	want := []string{}
	for word, interval := range map[string]string{
		"yearly": "1 year", "quarterly": "3 months", "monthly": "1 month", "weekly": "1 week",
		"daily": "1 day", "hourly": "1 hour", "half-hour": "30 minutes", "quarter-hour": "15 minutes", "Daily": "1 day",
	} {
		name := fmt.Sprint("w", len(want))
		check.Exec(t, pool, `SELECT pgmq.create_partitioned($1, $2, 'yearly'), pgmq.send($1, '1')`, name, word)
		check.Equal(t, "in the default partition", check.Value[int64](t, pool, `SELECT count(*) FROM pgmq.q_`+name+`_default`), 0)
		want = append(want, "q_"+name+" "+interval+" keep 1 year", "a_"+name+" "+interval+" keep 1 year")
	}
	slices.Sort(want)
	check.Same(t, "settings", settings(t, pool), want)
}
