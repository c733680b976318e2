package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/netfault"
)

// statsLine is a line of pgmq stats --json.
type statsLine struct {
	Name            string   `json:"queue_name"`
	Length          *int64   `json:"queue_length"`
	Visible         int64    `json:"queue_visible_length"`
	InFlight        int64    `json:"in_flight"`
	Delayed         int64    `json:"delayed"`
	Estimated       bool     `json:"estimated"`
	OldestVisible   *int64   `json:"oldest_visible_age_sec"`
	Newest          *int64   `json:"newest_msg_age_sec"`
	MaxReads        int      `json:"max_read_ct"`
	LastID          int64    `json:"total_messages"`
	Sent            *float64 `json:"sent_per_sec"`
	Settled         *float64 `json:"settled_per_sec"`
	TableBytes      int64    `json:"table_bytes"`
	ArchiveBytes    int64    `json:"archive_bytes"`
	ArchiveEstimate *int64   `json:"archive_length_estimate"`
	Problem         string   `json:"error"`
}

func statsLines(t testing.TB, out string) []statsLine {
	t.Helper()
	var all []statsLine
	for line := range strings.Lines(out) {
		var s statsLine
		ok(t, json.Unmarshal([]byte(line), &s))
		all = append(all, s)
	}
	return all
}

func TestStatsShowWhatIsInTheQueues(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)
	failure(t, pgmq("stats", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	failure(t, pgmq("stats", url), 3, "no queues", "pgmq queue create")
	ok(t, queue.Create(t.Context(), pool, "Orders"))
	ok(t, queue.Create(t.Context(), pool, "empty"))
	exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '1000')`)

	q := open[int](t, pool, "Orders")
	sendBatch(t, q, make([]int, 7))
	send(t, q, 1, queue.Delay(time.Hour))
	read(t, q, 1, queue.VT(time.Millisecond))
	time.Sleep(10 * time.Millisecond)
	read(t, q, 2)
	_, err := q.ArchiveID(t.Context(), 7)
	ok(t, err)
	exec(t, pool, `UPDATE pgmq.q_orders SET enqueued_at = now() - interval '1 hour' * msg_id`)
	exec(t, pool, `VACUUM ANALYZE pgmq.a_orders`)
	sendBatch(t, open[int](t, pool, "parted"), make([]int, 150))

	lines := statsLines(t, output(t, pgmq("stats", "--json", url)))
	equal(t, "queues", len(lines), 3)
	s := lines[0]
	equal(t, "the name", s.Name, "Orders")
	equal(t, "messages", *s.Length, 7)
	equal(t, "visible", s.Visible, 4)
	equal(t, "in flight", s.InFlight, 2)
	equal(t, "delayed", s.Delayed, 1)
	equal(t, "estimated", s.Estimated, false)
	equal(t, "the oldest visible, in hours", *s.OldestVisible/3600, 6) // not the delayed one
	equal(t, "the newest, in hours", *s.Newest/3600, 1)
	equal(t, "reads", s.MaxReads, 2)
	equal(t, "ever sent", s.LastID, 8)
	equal(t, "a rate at the first look", s.Sent, nil)
	equal(t, "archived", *s.ArchiveEstimate, 1)
	equal(t, "bytes", s.TableBytes, value[int64](t, pool, `SELECT pg_total_relation_size('pgmq.q_orders')`))
	equal(t, "bytes of the archive", s.ArchiveBytes, value[int64](t, pool, `SELECT pg_total_relation_size('pgmq.a_orders')`))
	equal(t, "messages of an empty queue", *lines[1].Length, 0)
	equal(t, "the oldest of an empty queue", lines[1].OldestVisible, nil)
	equal(t, "messages in partitions", *lines[2].Length, 150)
	equal(t, "bytes of partitions", lines[2].TableBytes,
		value[int64](t, pool, `SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('pgmq.q_parted')`))

	text := output(t, pgmq("stats", url))
	narrow(t, text)
	fields := strings.Join(strings.Fields(text), " ")
	contains(t, fields, "QUEUE TOTAL VISIBLE FLIGHT DELAYED OLDEST NEWEST READS SIZE ARCHIVE", "Orders 7 4 2 1 6h 1h 2 ", "empty 0 0 0 0 - - 0 ")
	contains(t, output(t, pgmq("stats", "ORDERS", url)), "Orders")
	failure(t, pgmq("stats", "Orders", "no such", url), 1, `queue "no such": stats: no such queue`)
	failure(t, pgmq("stats", "--interval", "1ms", url), 2, "--interval")
	failure(t, pgmq("stats", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
	failure(t, pgmq("stats", "--watch", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
}

func TestStatsOfALongQueueAreEstimates(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) SELECT now(), to_jsonb(repeat('x', 1900)) FROM generate_series(1, 12000)`))
	s := statsLines(t, output(t, pgmq("stats", q.Name(), "--json")))[0]
	equal(t, "estimated", s.Estimated, true)
	if *s.Length < 11_000 || *s.Length > 13_000 {
		t.Errorf("%d of 12,000 messages", *s.Length)
	}
	contains(t, output(t, pgmq("stats", q.Name())), " ~1")
}

func TestStatsSayWhichQueuesARoleMayNotRead(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	for _, name := range []string{"gone", "orders", "secret"} {
		ok(t, queue.Create(t.Context(), pool, name))
	}
	exec(t, pool, `DROP TABLE pgmq.q_gone`)
	monitor := documentedOn(t, pool, "orders", "Monitor").Config().ConnConfig.RuntimeParams["role"]
	stats := func(args ...string) (string, string, int) {
		return ended(t, settings(pgmq(append(args, "--database-url="+dsn(pool))...), "role="+monitor))
	}
	stdout, stderr, code := stats("stats")
	equal(t, "the exit code", code, 3)
	contains(t, stdout, "gone: its table is gone\n", "secret: permission denied for table q_secret: docs/roles.md")
	contains(t, strings.Join(strings.Fields(stdout), " "), "orders 0 0 0 0", "secret - - - -")
	equal(t, "what it says", stderr, "pgmq: 2 queues could not be read\n")
	stdout, _, code = stats("stats", "--json", "orders", "secret")
	equal(t, "the exit code", code, 3)
	lines := statsLines(t, stdout)
	equal(t, "messages", *lines[0].Length, 0)
	equal(t, "messages that may not be read", lines[1].Length, nil)
	contains(t, lines[1].Problem, "permission denied")
	_, _, code = stats("stats", "orders")
	equal(t, "the exit code of what it may read", code, 0)
}

func TestStatsWatchTellsWhatMoves(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[int](t)
	watch := pgmq("stats", q.Name(), "--watch", "--interval", "100ms", "--json")
	out, err := watch.StdoutPipe()
	ok(t, err)
	ok(t, watch.Start())
	in := bufio.NewReader(out)
	next := func() statsLine {
		t.Helper()
		line, err := in.ReadString('\n')
		ok(t, err)
		return statsLines(t, line)[0]
	}
	equal(t, "a rate at the first look", next().Sent, nil)
	sendBatch(t, q, make([]int, 1000))
	eventually(t, "sends are seen", func() bool { s := next(); return *s.Sent > 100 && *s.Settled == 0 })
	eventually(t, "the queue is quiet", func() bool { return *next().Sent == 0 })
	_, err = q.DeleteID(t.Context(), idsUpTo(500)...)
	ok(t, err)
	eventually(t, "deletes are seen", func() bool { s := next(); return *s.Settled > 100 && *s.Sent == 0 })
	ok(t, watch.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, in)
	ok(t, err)
	equal(t, "the exit code", as[*osexec.ExitError](t, watch.Wait()).ExitCode(), 130)
}

func idsUpTo(n int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i) + 1
	}
	return all
}

func TestStatsWatchGoesOnWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	pgmq, q := command(t), pgtest.Queue[int](t)
	config := pgtest.Pool().Config().ConnConfig
	p := netfault.NewProxy(pgconn.NetworkAddress(config.Host, config.Port))
	ok(t, p.Open())
	t.Cleanup(p.Close)
	url, err := p.URL(dsn(pgtest.Pool()))
	ok(t, err)
	var stdout, stderr transcript
	watch := pgmq("stats", q.Name(), "--watch", "--interval", "100ms", "--database-url="+url)
	watch.Stdout, watch.Stderr = &stdout, &stderr
	ok(t, watch.Start())
	blocks := func() int { return strings.Count(stdout.String(), "1 queue, every 100ms\nQUEUE") }
	eventually(t, "it looks", func() bool { return blocks() > 1 })
	p.Close()
	eventually(t, "it complains", func() bool { return strings.Contains(stderr.String(), "no answer") })
	before := blocks()
	ok(t, p.Open())
	eventually(t, "it goes on", func() bool { return blocks() > before+1 })
	ok(t, watch.Process.Signal(os.Interrupt))
	equal(t, "the exit code", as[*osexec.ExitError](t, watch.Wait()).ExitCode(), 130)
	if strings.Contains(stdout.String()+stderr.String(), config.Password) || strings.Contains(stdout.String(), "\x1b") {
		t.Errorf("a password or a control code is in\n%s%s", stdout.String(), stderr.String())
	}
}

// transcript is what a running command writes.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestStatsWatchDrawsOnAScreenOfItsOwn(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	for i := range 20 {
		ok(t, queue.Create(t.Context(), pool, fmt.Sprintf("a_queue_with_a_name_that_is_rather_long_%d", i)))
	}
	var screen transcript
	watch := osexec.CommandContext(t.Context(), "script", "-qec",
		"stty cols 80 rows 10; "+pgmq().Path+" stats --watch --interval 100ms", "/dev/null")
	watch.Env = slices.Concat(pgmq().Env, []string{"DATABASE_URL=" + dsn(pool), "TERM=xterm-256color", "NO_COLOR=1"})
	watch.Stdout = &screen
	keys, err := watch.StdinPipe()
	ok(t, err)
	ok(t, watch.Start())
	const home, end = "\x1b[H", "\x1b[J"
	eventually(t, "it draws", func() bool { return strings.Count(screen.String(), end) > 2 })
	_, err = keys.Write([]byte("\x03")) // ctrl-C
	ok(t, err)
	equal(t, "the exit code", as[*osexec.ExitError](t, watch.Wait()).ExitCode(), 130)

	text := strings.ReplaceAll(screen.String(), "\r\n", "\n")
	before, last, _ := strings.Cut(text, "\x1b[?1049l")
	contains(t, before, "\x1b[?1049h", "\x1b[?25l")
	contains(t, before, "\x1b[?25h")
	equal(t, "bold with NO_COLOR", strings.Contains(text, "\x1b[1m"), false)
	_, drawn, _ := strings.Cut(before, home)
	drawn, _, _ = strings.Cut(drawn, end)
	drawn = strings.ReplaceAll(drawn, "\x1b[K", "")
	narrow(t, drawn)
	equal(t, "lines on a screen of ten", strings.Count(drawn, "\n"), 9)
	contains(t, drawn, "20 queues, every 100ms\n", " SENT/S DONE/S\n", "a_queue_with", "… and 13 lines for which the window is too low")
	contains(t, last, "20 queues, every 100ms\n", "pgmq: interrupted")
	equal(t, "lines that stay", strings.Count(last, "a_queue_with"), 20)
}
