package tests

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// shown is what pgmq queue show --json writes.
type shown struct {
	Name    string     `json:"queue_name"`
	Kind    string     `json:"kind"`
	Created time.Time  `json:"created_at"`
	Length  *int64     `json:"queue_length"`
	Queue   *shownPart `json:"queue"`
	Archive *shownPart `json:"archive"`
	Notify  *struct {
		ThrottleMs int `json:"throttle_interval_ms"`
	} `json:"notify"`
	Topics      []string `json:"topics"`
	DeadLetters []struct {
		Queue    string `json:"queue_name"`
		Messages int    `json:"messages"`
	} `json:"dead_letters"`
	Unreadable []string `json:"unreadable"`
}

type shownPart struct {
	Table        string
	Owner        string
	Bytes        int64 `json:"table_bytes"`
	IndexBytes   int64 `json:"index_bytes"`
	Storage      string
	Partitions   int
	Partitioning *struct {
		Interval, Retention string
		Premake             int
		DropUnread          bool `json:"drop_unread"`
	}
	Indexes []struct {
		Name, Definition string
		Bytes            int64
		Valid            bool
	}
	Grants     map[string]string
	Vacuumed   *time.Time `json:"last_vacuum"`
	Autovacuum *time.Time `json:"last_autovacuum"`
}

func TestQueueShowTellsEverythingAboutAQueue(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)
	failure(t, pgmq("queue", "show", "orders", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	failure(t, pgmq("queue", "show", "orders", url), 1, `queue "orders": show: no such queue`)
	failure(t, pgmq("queue", "show", url), 2, "NAME")
	failure(t, pgmq("queue", "show", "orders", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
	show := func(name string) shown {
		t.Helper()
		var s shown
		ok(t, json.Unmarshal([]byte(output(t, pgmq("queue", "show", name, "--json", url))), &s))
		return s
	}

	ok(t, queue.Create(t.Context(), pool, "Orders"))
	producer := documentedOn(t, pool, "orders", "Producer").Config().ConnConfig.RuntimeParams["role"]
	exec(t, pool, `SELECT pgmq.enable_notify_insert('Orders', 500), pgmq.bind_topic('orders.*.eu', 'Orders'), pgmq.bind_topic('all.#', 'Orders')`)
	sendBatch(t, open[int](t, pool, "Orders"), make([]int, 3), queue.Headers{
		"x-pgmq-dead-letter": map[string]any{"queue": "invoices", "reason": "max reads"},
	})
	send(t, open[int](t, pool, "Orders"), 1)
	exec(t, pool, `VACUUM pgmq.q_orders`)

	s := show("ORDERS")
	equal(t, "the name", s.Name, "Orders")
	equal(t, "the kind", s.Kind, "standard")
	equal(t, "when it was made", s.Created.Equal(value[time.Time](t, pool, `SELECT created_at FROM pgmq.meta`)), true)
	equal(t, "messages", *s.Length, 4)
	equal(t, "the table", s.Queue.Table, "q_orders")
	equal(t, "the owner", s.Queue.Owner, value[string](t, pool, `SELECT current_user::text`))
	equal(t, "bytes", s.Queue.Bytes, value[int64](t, pool, `SELECT pg_table_size('pgmq.q_orders')`))
	equal(t, "bytes of indexes", s.Queue.IndexBytes, value[int64](t, pool, `SELECT pg_indexes_size('pgmq.q_orders')`))
	contains(t, s.Queue.Storage, "fillfactor=50", "autovacuum_vacuum_threshold=5000")
	equal(t, "the first index", s.Queue.Indexes[0].Definition, "btree (msg_id)")
	equal(t, "its bytes", s.Queue.Indexes[0].Bytes > 0, true)
	equal(t, "what the producer may", s.Queue.Grants[producer], "INSERT (vt, message, headers), SELECT (msg_id)")
	equal(t, "what a monitor may", s.Queue.Grants["pg_monitor"], "SELECT")
	equal(t, "what the owner is granted", s.Queue.Grants[s.Queue.Owner], "")
	equal(t, "what the producer may with the archive", s.Archive.Grants[producer], "")
	equal(t, "vacuumed", s.Queue.Vacuumed != nil, true)
	equal(t, "vacuumed by itself", s.Queue.Autovacuum, nil)
	equal(t, "the archive", s.Archive.Table, "a_orders")
	equal(t, "the interval", s.Notify.ThrottleMs, 500)
	same(t, "topics", s.Topics, []string{"all.#", "orders.*.eu"})
	equal(t, "queues that its messages died in", len(s.DeadLetters), 1)
	equal(t, "the queue that they died in", s.DeadLetters[0].Queue, "invoices")
	equal(t, "messages that died", s.DeadLetters[0].Messages, 3)

	text := output(t, pgmq("queue", "show", "Orders", url))
	narrow(t, text)
	if strings.Contains(text, "\x1b") {
		t.Errorf("control codes in what is no terminal: %q", text)
	}
	contains(t, text, "queue       Orders\n", "kind        standard, made 2", "4 messages: 4 visible, 0 in flight, 0 delayed\n",
		"from        3 messages of the first 1,000 died in queue \"invoices\"\n", "topics      all.#\n            orders.*.eu\n",
		"notify      at most every 500ms, last ", "table       pgmq.q_orders, ", "btree (msg_id)", "fillfactor=50",
		"  vacuum    by itself never, by hand ", producer+": INSERT (vt, message, headers)", "archive     pgmq.a_orders")
	cmd := pgmq("queue", "show", "Orders")
	cmd.Env = append(cmd.Env, "DATABASE_URL="+dsn(pool))
	screen := onTerminal(t, cmd, "", "NO_COLOR=1")
	narrow(t, screen)
	contains(t, screen, "queue       Orders\n")

	exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '1000', 3)`)
	exec(t, pool, `SELECT pgmq.create_unlogged('fast')`)
	exec(t, pool, `DROP TABLE pgmq.a_fast`)
	s = show("parted")
	equal(t, "the kind", s.Kind, "partitioned")
	equal(t, "an interval", s.Queue.Partitioning.Interval, "100")
	equal(t, "a retention", s.Archive.Partitioning.Retention, "1000")
	equal(t, "made ahead", s.Queue.Partitioning.Premake, 3)
	equal(t, "partitions", s.Queue.Partitions, value[int](t, pool, `SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'pgmq.q_parted'::regclass`))
	contains(t, s.Queue.Storage, "fillfactor=50")
	contains(t, output(t, pgmq("queue", "show", "parted", url)), "one for each 100, dropped behind 1000, 3 made")
	s = show("fast")
	equal(t, "the kind", s.Kind, "unlogged")
	equal(t, "an archive that is gone", s.Archive, nil)
	equal(t, "announcements", s.Notify, nil)
	contains(t, output(t, pgmq("queue", "show", "fast", url)), "archive     gone\n", "notify      off\n", "topics      none\n")
}

func TestQueueShowNamesWhatARoleMayNotRead(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	ok(t, queue.Create(t.Context(), pool, "orders"))
	monitor := documentedOn(t, pool, "orders", "Monitor").Config().ConnConfig.RuntimeParams["role"]
	stdout, stderr, code := ended(t, settings(pgmq("queue", "show", "orders", "--database-url="+dsn(pool)), "role="+monitor))
	equal(t, "the exit code", code, 3)
	equal(t, "what it says", stderr, "pgmq: this role may not read all of it: docs/roles.md tells which grants there are\n")
	contains(t, stdout, "0 messages: 0 visible", "unreadable  announcements, topics, headers\n", "fillfactor=50")
	if strings.Contains(stdout, "topics      none") || strings.Contains(stdout, "notify      off") {
		t.Errorf("it says what it does not know:\n%s", stdout)
	}
}
