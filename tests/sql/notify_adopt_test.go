package sql

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// The objects for notifications that PGMQ 1.13 leaves in a database.
const notifiedByPGMQ = `
	CREATE SCHEMA pgmq;
	CREATE TABLE pgmq.meta (
		queue_name varchar UNIQUE NOT NULL, is_partitioned boolean NOT NULL,
		is_unlogged boolean NOT NULL, created_at timestamptz DEFAULT now() NOT NULL
	);
	CREATE UNLOGGED TABLE pgmq.notify_insert_throttle (
		queue_name varchar UNIQUE NOT NULL
			CONSTRAINT notify_insert_throttle_meta_queue_name_fk REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
		throttle_interval_ms integer NOT NULL DEFAULT 0,
		last_notified_at timestamptz NOT NULL DEFAULT to_timestamp(0)
	);
	CREATE INDEX idx_notify_throttle_active ON pgmq.notify_insert_throttle (queue_name, last_notified_at) WHERE throttle_interval_ms > 0;
	CREATE FUNCTION pgmq.notify_queue_listeners() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$the old one$$; END';
	CREATE FUNCTION pgmq.enable_notify_insert(queue_name text) RETURNS void LANGUAGE sql AS '';
	INSERT INTO pgmq.meta VALUES ('MyQueue', false, false), ('busy', false, false), ('empty', false, false);
	CREATE TABLE pgmq.q_myqueue (
		msg_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, read_ct integer DEFAULT 0 NOT NULL,
		enqueued_at timestamptz DEFAULT now() NOT NULL, last_read_at timestamptz, vt timestamptz NOT NULL, message jsonb, headers jsonb
	);
	CREATE TABLE pgmq.q_busy (LIKE pgmq.q_myqueue INCLUDING ALL);
	CREATE TABLE pgmq.q_empty (LIKE pgmq.q_myqueue INCLUDING ALL);
	INSERT INTO pgmq.notify_insert_throttle VALUES ('MyQueue', 3600000), ('busy', 3600000);
	CREATE CONSTRAINT TRIGGER trigger_notify_queue_insert_listeners AFTER INSERT ON pgmq.q_myqueue
		DEFERRABLE FOR EACH ROW EXECUTE FUNCTION pgmq.notify_queue_listeners('MyQueue');
	CREATE CONSTRAINT TRIGGER trigger_notify_queue_insert_listeners AFTER INSERT ON pgmq.q_busy
		DEFERRABLE FOR EACH ROW EXECUTE FUNCTION pgmq.notify_queue_listeners();
	CREATE CONSTRAINT TRIGGER trigger_notify_queue_insert_listeners AFTER INSERT ON pgmq.q_empty
		DEFERRABLE FOR EACH ROW EXECUTE FUNCTION pgmq.notify_queue_listeners()`

func TestNotificationsOfPGMQAreTakenOver(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	check.Exec(t, pool, notifiedByPGMQ)
	pgtest.Migrate(t, pool)
	check.Same(t, "the rows", check.Values[string](t, pool, `SELECT queue_name || ' ' || throttle_interval_ms FROM pgmq.list_notify_insert_throttles() ORDER BY lower(queue_name)`),
		[]string{"busy 3600000", "empty 250", "MyQueue 3600000"})
	check.Equal(t, "indexes with the time in them", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_indexes WHERE tablename = 'notify_insert_throttle' AND indexdef ~ 'last_notified_at'`), 0)
	check.Equal(t, "persistence", check.Value[string](t, pool, `SELECT relpersistence::text FROM pg_class WHERE oid = 'pgmq.notify_insert_throttle'::regclass`), "p")
	l := check.ListenTo(t, pool, "busy")
	three := func() {
		for range 3 {
			sendSQL(t, pool, "busy")
		}
	}
	three()
	check.Equal(t, "notifications", l.Heard(t), 1)

	// A trigger that could not be replaced ignores the throttle until it is replaced.
	check.Exec(t, pool, `
		DROP TRIGGER trigger_notify_queue_insert_listeners ON pgmq.q_busy;
		SELECT pgmq.disable_notify_insert('busy');
		CREATE CONSTRAINT TRIGGER trigger_notify_queue_insert_listeners AFTER INSERT ON pgmq.q_busy
			DEFERRABLE FOR EACH ROW EXECUTE FUNCTION pgmq.notify_queue_listeners()`)
	three()
	check.Equal(t, "notifications of an old trigger", l.Heard(t), 3)
	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert('busy', $1)`, hour)
	three()
	check.Equal(t, "notifications when it is enabled anew", l.Heard(t), 1)
}

func TestGoingDownEndsNotifications(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	empty := check.Catalogue(t, pool)
	pgtest.Migrate(t, pool)
	check.Exec(t, pool, `SELECT pgmq.create('Q 1'), pgmq.enable_notify_insert('Q 1')`)
	check.Exec(t, pool, `SELECT pgmq.send('q 1', '1'); SELECT pgmq.purge_queue('q 1')`)
	forced := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["pgmq.drop_messages"] = "on" })
	check.OK(t, schema.Remove(t.Context(), check.SQLDB(t, forced)))
	check.Same(t, "removed", check.Catalogue(t, pool), empty)
}

func TestAPartitionedQueueNotifies(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), "Parts_of_"+pgtest.Name()
	partitioned(t, name, "10", "100")
	l := listen(t, name)
	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1, $2)`, name, hour)
	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1, $2)`, name, hour)
	// Three partitions and the default, in one transaction.
	check.Exec(t, pool, `SELECT pgmq.send_batch($1, array_fill('1'::jsonb, '{45}'))`, name)
	sendSQL(t, pool, name)
	check.Equal(t, "notifications", l.Heard(t), 1)

	maintain(t, name)
	check.Equal(t, "notifications of what only moved", l.Heard(t), 0)
	check.Equal(t, "messages", readSQL(t, pool, name, 99), 46)
	sendSQL(t, pool, name)
	check.Equal(t, "notifications after a short read", l.Heard(t), 1)
	check.Exec(t, pool, `SELECT pgmq.disable_notify_insert($1)`, name)
	sendSQL(t, pool, name)
	check.Equal(t, "notifications after the end", l.Heard(t), 0)
	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert($1, $2)`, name, hour)
	check.Equal(t, "dropped", check.Value[bool](t, pool, `SELECT pgmq.drop_queue($1)`, name), true)
}

func TestEverythingAtOnceNeitherDeadlocksNorCollides(t *testing.T) {
	check.Parallel(t)
	name := pgtest.Name()
	calls := []string{
		`SELECT pgmq.create($1)`, `SELECT pgmq.enable_notify_insert($1, 1)`, `SELECT pgmq.enable_notify_insert(upper($1), 0)`,
		`SELECT pgmq.disable_notify_insert($1)`, `SELECT pgmq.update_notify_insert($1, 2)`, `SELECT pgmq.drop_queue($1)`,
		`SELECT pgmq.purge_queue($1)`, `SELECT pgmq.send($1, '1')`, `SELECT pgmq.send($1, '2')`, `SELECT pgmq.read($1, 0, 5)`, `SELECT pgmq.pop($1, 5)`,
	}
	var wg sync.WaitGroup
	for i, call := range calls {
		conn := check.Connection(t, pgtest.Pool())
		wg.Go(func() {
			for range 40 {
				_, err := conn.Exec(t.Context(), call, name)
				if err == nil {
					continue
				}
				// It is not there, or not enabled, at the moment.
				pg := check.As[*pgconn.PgError](t, err)
				switch {
				case pg.Code == "42P01", pg.Code == "P0001" && i > 0:
				default:
					t.Errorf("%s: %s %s", call, pg.Code, pg.Message)
				}
			}
		})
	}
	wg.Wait()
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.drop_queue($1)`, name)
}
