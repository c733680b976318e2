package sql

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// partitioned makes a queue of partitions with 100 messages or one day each.
func partitioned(t testing.TB, name, interval, retention string) *queue.Queue[int] {
	t.Helper()
	pool := pgtest.Pool()
	check.Exec(t, pool, `SELECT pgmq.create_partitioned($1, $2, $3, 2)`, name, interval, retention)
	t.Cleanup(func() { _, _ = pool.Exec(context.Background(), `SELECT pgmq.drop_queue($1)`, name) })
	return check.Open[int](t, pool, name)
}

func maintain(t testing.TB, name string) {
	t.Helper()
	check.Exec(t, pgtest.Pool(), `CALL pgmq.maintain_partitions($1)`, name)
}

func partitions(t testing.TB, name string) []string {
	t.Helper()
	return check.Values[string](t, pgtest.Pool(), check.Tables(name, `
		SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
		WHERE i.inhparent = '{Q}'::regclass ORDER BY c.oid`))
}

func waiting(t testing.TB, name string) int {
	t.Helper()
	return check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM pgmq.q_`+name+`_default`)
}

func TestAPartitionedQueueIsAQueue(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), pgtest.Pool()
	for _, interval := range []string{"100", "1 day", "1 month"} {
		name := pgtest.Name()
		q := partitioned(t, name, interval, interval)
		check.Exec(t, pool, `SELECT pgmq.create_partitioned($1, $2)`, name, interval) // again
		check.OK(t, admin.Create(ctx, pool, name))

		check.SendBatch(t, q, make([]int, 350)) // far beyond the partitions made ahead
		msgs := check.Read(t, q, 5)
		check.OK(t, q.SetVT(ctx, time.Hour, msgs...))
		check.OK(t, q.Delete(ctx, msgs[0]))
		check.OK(t, q.Archive(ctx, msgs[1]))
		if _, err := q.Pop(ctx, 1); err != nil {
			t.Fatal(err)
		}
		check.Equal(t, "read by groups", len(check.Values[int64](t, pool, `SELECT msg_id FROM pgmq.read_grouped($1, 0, 10)`, name)), 0)
		check.Equal(t, "listed", check.Value[bool](t, pool, `SELECT is_partitioned FROM pgmq.list_queues() WHERE queue_name = $1`, name), true)
		check.Equal(t, "length", check.Value[int64](t, pool, `SELECT queue_length FROM pgmq.metrics($1)`, name), 347)
		maintain(t, name)
		check.Equal(t, "left in the default partition", waiting(t, name), 0)
		check.Equal(t, "length", check.Length(t, q), 347)
		n, err := admin.Purge(ctx, pool, name)
		check.OK(t, err)
		check.Equal(t, "purged", n, 347)
		check.OK(t, admin.Drop(ctx, pool, name))
		check.Equal(t, "tables left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_class WHERE relname ~ $1`, "^[qa]_"+name), 0)
		check.Equal(t, "settings left", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.partitioned_tables WHERE queue_name = $1`, name), 0)
	}
}

func TestPartitionedTablesAreAsPGMQLaysThemOut(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	byID, byTime := partitioned(t, pgtest.Name(), "100", "1000").Name(), partitioned(t, pgtest.Name(), "1 day", "1 week").Name()
	key := `SELECT pg_get_partkeydef(format('pgmq.%s_%s', $1::text, $2::text)::regclass)`
	check.Equal(t, "key by id", check.Value[string](t, pool, key, "q", byID), "RANGE (msg_id)")
	check.Equal(t, "archive's key by id", check.Value[string](t, pool, key, "a", byID), "RANGE (msg_id)")
	check.Equal(t, "key by time", check.Value[string](t, pool, key, "q", byTime), "RANGE (enqueued_at)")
	check.Equal(t, "archive's key by time", check.Value[string](t, pool, key, "a", byTime), "RANGE (archived_at)")
	check.Equal(t, "index", check.Value[bool](t, pool, `SELECT to_regclass('pgmq.q_' || $1 || '_part_idx') IS NOT NULL`, byTime), true)
	for _, name := range []string{byID, byTime} {
		check.Equal(t, "identity", check.Value[string](t, pool, check.Tables(name, `SELECT attidentity::text FROM pg_attribute WHERE attrelid = '{Q}'::regclass AND attname = 'msg_id'`)), "d")
		check.Equal(t, "sequence", check.Value[string](t, pool, check.Tables(name, `SELECT pg_get_serial_sequence('{Q}', 'msg_id')`)), "pgmq.q_"+name+"_msg_id_seq")
		check.Same(t, "storage", check.Values[string](t, pool, check.Tables(name, `
			SELECT DISTINCT c.reloptions::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = '{Q}'::regclass`)),
			check.Values[string](t, pool, `SELECT reloptions::text FROM pg_class WHERE oid = 'pgmq.template_queue'::regclass`))
	}
}

func TestRetentionKeepsWhatNobodySettled(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), pgtest.Name()
	q := partitioned(t, name, "100", "200")
	ids := check.SendBatch(t, q, make([]int, 1000))
	if _, err := q.DeleteID(t.Context(), append(ids[:150], ids[199:699]...)...); err != nil { // 151 to 199 stay
		t.Fatal(err)
	}
	maintain(t, name)
	check.Equal(t, "messages", check.Length(t, q), 350)
	kept := strings.Join(partitions(t, name), " ")
	for part, there := range map[string]bool{"$0": false, "$100": true, "$200": false, "$600": false, "$800": true, "$1000": true} {
		check.Equal(t, "partition "+part, strings.Contains(kept+" ", part+" "), there)
	}
	check.Exec(t, pool, `SELECT pgmq.set_partition_retention($1, '200', true)`, name)
	maintain(t, name)
	check.Equal(t, "messages when the queue says so", check.Length(t, q), 201)
}

func TestTimePartitionsGoWhenTheyAreOldAndEmpty(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), pgtest.Name()
	q := partitioned(t, name, "1 day", "3 days")
	check.Exec(t, pool, check.Tables(name, `INSERT INTO {Q} (vt, enqueued_at, message) SELECT now(), now() - i * interval '1 day', '1' FROM generate_series(1, 10) AS i`))
	maintain(t, name)
	check.Equal(t, "left in the default partition", waiting(t, name), 0)
	check.Equal(t, "messages", check.Length(t, q), 10)
	before := len(partitions(t, name))
	if _, err := q.DeleteID(t.Context(), check.IDs(check.Read(t, q, 10))...); err != nil {
		t.Fatal(err)
	}
	maintain(t, name)
	if dropped := before - len(partitions(t, name)); dropped < 6 || dropped > 8 {
		t.Fatalf("%d partitions were dropped", dropped)
	}
}

// A run of the upkeep beside another, and both beside sends and reads.
func TestUpkeepLosesNothingUnderLoad(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), pgtest.Name()
	q := partitioned(t, name, "100", "100")
	ctx, stop := context.WithCancel(t.Context())
	var work, upkeep errgroup.Group
	for range 2 {
		upkeep.Go(func() error {
			for ctx.Err() == nil {
				if _, err := pool.Exec(t.Context(), `CALL pgmq.maintain_partitions($1)`, name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	const senders, batches, size = 2, 60, 25
	for range senders {
		work.Go(func() error {
			for range batches {
				if _, err := q.SendBatch(t.Context(), make([]int, size)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	handled := make(chan int64, senders*batches*size)
	for range 3 {
		work.Go(func() error {
			for len(handled) < cap(handled) {
				msgs, err := q.Read(t.Context(), 20)
				if err != nil {
					return err
				}
				if err := q.Delete(t.Context(), msgs...); err != nil {
					return err
				}
				for _, m := range msgs {
					handled <- m.ID
				}
			}
			return nil
		})
	}
	err := work.Wait()
	stop()
	check.OK(t, err)
	check.OK(t, upkeep.Wait())
	close(handled)
	seen := map[int64]bool{}
	for id := range handled {
		if seen[id] {
			t.Errorf("message %d came twice", id)
		}
		seen[id] = true
	}
	check.Equal(t, "messages", len(seen), senders*batches*size)
	check.Equal(t, "left", check.Length(t, q), 0)
}

func TestPartitionsOfEveryName(t *testing.T) {
	check.Long(t)
	for _, name := range []string{
		"Parted", "with-hyphen", "with.dot", "with space", `with"quote`, "größe", strings.Repeat("p", 47), strings.Repeat("ü", 30),
	} {
		q := partitioned(t, name, "100", "100")
		check.SendBatch(t, q, make([]int, 500))
		maintain(t, name)
		check.Equal(t, "messages of "+name, check.Length(t, q), 500)
		check.Exec(t, pgtest.Pool(), check.Tables(name, `DELETE FROM {Q} WHERE msg_id < 200`))
		maintain(t, name)
		check.Equal(t, "an empty partition behind the retention of "+name, strings.Contains(strings.Join(partitions(t, name), " ")+" ", "$100 "), false)
		check.Exec(t, pgtest.Pool(), `SELECT pgmq.drop_queue($1)`, name)
		check.Exec(t, pgtest.Pool(), `SELECT pgmq.create($1)`, name)
		check.Send(t, q, 1)
		check.Exec(t, pgtest.Pool(), `SELECT pgmq.archive($1, 1)`, name)
		if len(name) < 50 { // else the old archive has no name to get
			check.Exec(t, pgtest.Pool(), `SELECT pgmq.convert_archive_partitioned($1)`, name)
			check.Equal(t, "partitioned archive of "+name, check.Value[string](t, pgtest.Pool(), check.Tables(name, `SELECT pg_get_partkeydef('{A}'::regclass)`)), "RANGE (msg_id)")
		}
	}
}

func TestPartitionsRefuseInClearWords(t *testing.T) {
	check.Parallel(t)
	name := pgtest.Name()
	partitioned(t, name, "100", "100")
	for call, want := range map[string]string{
		`create_partitioned('refused', '10', '10', 0)`:             "premake must be at least 1, got 0",
		`create_partitioned('refused', '0', '10')`:                 "partition_interval must be at least 1 and retention_interval at least 0, got 0 and 10",
		`create_partitioned('refused', '1 month 1 day', '1 year')`: "partition_interval must be whole months or a number of days, hours and so on, got 1 month 1 day",
		`set_partition_retention('nowhere', '10')`:                 `Queue "nowhere" has no partitions that pgmq.maintain_partitions looks after`,
		`_ensure_pg_partman_installed()`:                           "pg_partman is required for partitioned queues",
	} {
		_, err := pgtest.Pool().Exec(t.Context(), "SELECT pgmq."+call)
		check.SQLState(t, err, "P0001")
		check.Equal(t, call, check.As[*pgconn.PgError](t, err).Message, want)
	}
}

func TestMetricsTellOfTheDefaultPartition(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), pgtest.Name()
	q := partitioned(t, name, "100", "100")
	check.SendBatch(t, q, make([]int, 1000))
	sql := `SELECT coalesce(default_partition_length, -1) FROM pgmq.metrics($1)`
	check.Eventually(t, "the counters know how many wait", func() bool { return check.Value[int](t, pool, sql, name) == 701 })
	check.Exec(t, pool, fmt.Sprintf(`ANALYZE pgmq.q_%s_default`, name))
	check.Equal(t, "waiting", check.Value[int](t, pool, sql, name), 701)
	plain := pgtest.Queue[int](t).Name()
	pgtest.Named[int](t, plain+"_default")
	check.Equal(t, "of a plain queue", check.Value[int](t, pool, sql, plain), -1)
}

func TestMaintenanceInATransactionSaysWhatToDo(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('q', '10', '100')`)
	check.Exec(t, pool, `CREATE FUNCTION upkeep() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL pgmq.maintain_partitions(); END $$`)
	for what, sql := range map[string]string{
		"a transaction": `BEGIN; CALL pgmq.maintain_partitions(); COMMIT`,
		"a function":    `SELECT upkeep()`,
		"statements":    `SELECT 1; CALL pgmq.maintain_partitions('q')`,
	} {
		conn := check.Connection(t, pool)
		_, err := conn.Exec(t.Context(), sql)
		check.SQLState(t, err, "2D000")
		if pg := check.As[*pgconn.PgError](t, err); !strings.Contains(pg.Message, "commits each step") || !strings.Contains(pg.Hint, "pgmq maintain") {
			t.Errorf("in %s: %s; %s", what, pg.Message, pg.Hint)
		}
	}
	check.Exec(t, pool, `CALL pgmq.maintain_partitions()`)
	check.Exec(t, pool, `CALL pgmq.maintain_partitions($1)`, "q")
	check.Exec(t, pool, `DO $$ BEGIN CALL pgmq.maintain_partitions(); END $$`)
}
