package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// shown is the output of pgmq queue show --json.
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
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	check.Failure(t, pgmq("queue", "show", "orders", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	check.Failure(t, pgmq("queue", "show", "orders", url), 1, `queue "orders": describe: no such queue`)
	check.Failure(t, pgmq("queue", "show", url), 2, "NAME")
	check.Failure(t, pgmq("queue", "show", "orders", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
	show := func(name string) shown {
		t.Helper()
		var s shown
		check.OK(t, json.Unmarshal([]byte(check.Output(t, pgmq("queue", "show", name, "--json", url))), &s))
		return s
	}

	check.OK(t, admin.Create(t.Context(), pool, "Orders"))
	producer := check.DocumentedOn(t, pool, "orders", "Producer").Config().ConnConfig.RuntimeParams["role"]
	check.Exec(t, pool, `SELECT pgmq.enable_notify_insert('Orders', 500), pgmq.bind_topic('orders.*.eu', 'Orders'), pgmq.bind_topic('all.#', 'Orders')`)
	check.SendBatch(t, check.Open[int](t, pool, "Orders"), make([]int, 3), queue.Headers{
		"x-pgmq-dead-letter": map[string]any{"queue": "invoices", "reason": "max reads"},
	})
	check.Send(t, check.Open[int](t, pool, "Orders"), 1)
	check.Exec(t, pool, `VACUUM pgmq.q_orders`)

	s := show("ORDERS")
	check.Equal(t, "the name", s.Name, "Orders")
	check.Equal(t, "the kind", s.Kind, "standard")
	check.Equal(t, "when it was made", s.Created.Equal(check.Value[time.Time](t, pool, `SELECT created_at FROM pgmq.meta`)), true)
	check.Equal(t, "messages", *s.Length, 4)
	check.Equal(t, "the table", s.Queue.Table, "q_orders")
	check.Equal(t, "the owner", s.Queue.Owner, check.Value[string](t, pool, `SELECT current_user::text`))
	check.Equal(t, "bytes", s.Queue.Bytes, check.Value[int64](t, pool, `SELECT pg_table_size('pgmq.q_orders')`))
	check.Equal(t, "bytes of indexes", s.Queue.IndexBytes, check.Value[int64](t, pool, `SELECT pg_indexes_size('pgmq.q_orders')`))
	check.Contains(t, s.Queue.Storage, "fillfactor=50", "autovacuum_vacuum_threshold=5000")
	check.Equal(t, "the first index", s.Queue.Indexes[0].Definition, "btree (msg_id)")
	check.Equal(t, "its bytes", s.Queue.Indexes[0].Bytes > 0, true)
	check.Equal(t, "what the producer may", s.Queue.Grants[producer], "INSERT (vt, message, headers), SELECT (msg_id)")
	check.Equal(t, "what a monitor may", s.Queue.Grants["pg_monitor"], "SELECT")
	check.Equal(t, "what the owner is granted", s.Queue.Grants[s.Queue.Owner], "")
	check.Equal(t, "what the producer may with the archive", s.Archive.Grants[producer], "")
	check.Equal(t, "vacuumed", s.Queue.Vacuumed != nil, true)
	check.Equal(t, "vacuumed by itself", s.Queue.Autovacuum, nil)
	check.Equal(t, "the archive", s.Archive.Table, "a_orders")
	check.Equal(t, "the interval", s.Notify.ThrottleMs, 500)
	check.Same(t, "topics", s.Topics, []string{"all.#", "orders.*.eu"})
	check.Equal(t, "queues that its messages died in", len(s.DeadLetters), 1)
	check.Equal(t, "the queue that they died in", s.DeadLetters[0].Queue, "invoices")
	check.Equal(t, "messages that died", s.DeadLetters[0].Messages, 3)

	text := check.Output(t, pgmq("queue", "show", "Orders", url))
	narrow(t, text)
	if strings.Contains(text, "\x1b") {
		t.Errorf("control codes in what is no terminal: %q", text)
	}
	check.Contains(t, text, "queue       Orders\n", "kind        standard, created 2", "4 messages: 4 visible, 0 in flight, 0 delayed\n",
		"from        3 messages of the first 1,000 died in queue \"invoices\"\n", "topics      all.#\n            orders.*.eu\n",
		"notify      at most every 500ms, last ", "table       pgmq.q_orders, ", "btree (msg_id)", "fillfactor=50",
		"  vacuum    by itself never, by hand ", producer+": INSERT (vt, message, headers)", "archive     pgmq.a_orders")
	cmd := pgmq("queue", "show", "Orders")
	cmd.Env = append(cmd.Env, "DATABASE_URL="+check.DSN(pool))
	screen := onTerminal(t, cmd, "", "NO_COLOR=1")
	narrow(t, screen)
	check.Contains(t, screen, "queue       Orders\n")

	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '1000', 3)`)
	check.Exec(t, pool, `SELECT pgmq.create_unlogged('fast')`)
	check.Exec(t, pool, `DROP TABLE pgmq.a_fast`)
	s = show("parted")
	check.Equal(t, "the kind", s.Kind, "partitioned")
	check.Equal(t, "an interval", s.Queue.Partitioning.Interval, "100")
	check.Equal(t, "a retention", s.Archive.Partitioning.Retention, "1000")
	check.Equal(t, "made ahead", s.Queue.Partitioning.Premake, 3)
	check.Equal(t, "partitions", s.Queue.Partitions, check.Value[int](t, pool, `SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'pgmq.q_parted'::regclass`))
	check.Contains(t, s.Queue.Storage, "fillfactor=50")
	check.Contains(t, check.Output(t, pgmq("queue", "show", "parted", url)), "one for each 100, dropped after 1000, 3 made")
	s = show("fast")
	check.Equal(t, "the kind", s.Kind, "unlogged")
	check.Equal(t, "an archive that is gone", s.Archive, nil)
	check.Equal(t, "notifications", s.Notify, nil)
	check.Contains(t, check.Output(t, pgmq("queue", "show", "fast", url)), "archive     gone\n", "notify      off\n", "topics      none\n")
}

func TestQueueShowNamesWhatARoleMayNotRead(t *testing.T) {
	t.Parallel()
	pgmq, pool := check.Command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	check.OK(t, admin.Create(t.Context(), pool, "orders"))
	monitor := check.DocumentedOn(t, pool, "orders", "Monitor").Config().ConnConfig.RuntimeParams["role"]
	stdout, stderr, code := ended(t, settings(pgmq("queue", "show", "orders", "--database-url="+check.DSN(pool)), "role="+monitor))
	check.Equal(t, "the exit code", code, 3)
	check.Equal(t, "what it says", stderr, "pgmq: this role may not read all of it: docs/roles.md lists the grants\n")
	check.Contains(t, stdout, "0 messages: 0 visible", "unreadable  notifications, topics, headers\n", "fillfactor=50")
	if strings.Contains(stdout, "topics      none") || strings.Contains(stdout, "notify      off") {
		t.Errorf("it says what it does not know:\n%s", stdout)
	}
}
