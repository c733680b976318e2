package cli

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
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
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
		check.OK(t, json.Unmarshal([]byte(line), &s))
		all = append(all, s)
	}
	return all
}

func TestStatsShowWhatIsInTheQueues(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	check.Failure(t, pgmq("stats", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	check.Failure(t, pgmq("stats", url), 3, "no queues", "pgmq queue create")
	check.OK(t, admin.Create(t.Context(), pool, "Orders"))
	check.OK(t, admin.Create(t.Context(), pool, "empty"))
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '1000')`)

	q := check.Open[int](t, pool, "Orders")
	check.SendBatch(t, q, make([]int, 7))
	check.Send(t, q, 1, queue.Delay(time.Hour))
	check.OK(t, q.SetVT(t.Context(), 0, check.Read(t, q, 1)...))
	check.Read(t, q, 2)
	_, err := q.ArchiveID(t.Context(), 7)
	check.OK(t, err)
	check.Exec(t, pool, `UPDATE pgmq.q_orders SET enqueued_at = now() - interval '1 hour' * msg_id`)
	check.Exec(t, pool, `VACUUM ANALYZE pgmq.a_orders`)
	check.SendBatch(t, check.Open[int](t, pool, "parted"), make([]int, 150))

	lines := statsLines(t, check.Output(t, pgmq("stats", "--json", url)))
	check.Equal(t, "queues", len(lines), 3)
	s := lines[0]
	check.Equal(t, "the name", s.Name, "Orders")
	check.Equal(t, "messages", *s.Length, 7)
	check.Equal(t, "visible", s.Visible, 4)
	check.Equal(t, "in flight", s.InFlight, 2)
	check.Equal(t, "delayed", s.Delayed, 1)
	check.Equal(t, "estimated", s.Estimated, false)
	check.Equal(t, "the oldest visible, in hours", *s.OldestVisible/3600, 6) // not the delayed one
	check.Equal(t, "the newest, in hours", *s.Newest/3600, 1)
	check.Equal(t, "reads", s.MaxReads, 2)
	check.Equal(t, "ever sent", s.LastID, 8)
	check.Equal(t, "a rate at the first look", s.Sent, nil)
	check.Equal(t, "archived", *s.ArchiveEstimate, 1)
	check.Equal(t, "bytes", s.TableBytes, check.Value[int64](t, pool, `SELECT pg_total_relation_size('pgmq.q_orders')`))
	check.Equal(t, "bytes of the archive", s.ArchiveBytes, check.Value[int64](t, pool, `SELECT pg_total_relation_size('pgmq.a_orders')`))
	check.Equal(t, "messages of an empty queue", *lines[1].Length, 0)
	check.Equal(t, "the oldest of an empty queue", lines[1].OldestVisible, nil)
	check.Equal(t, "messages in partitions", *lines[2].Length, 150)
	check.Equal(t, "bytes of partitions", lines[2].TableBytes,
		check.Value[int64](t, pool, `SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('pgmq.q_parted')`))

	text := check.Output(t, pgmq("stats", url))
	narrow(t, text)
	fields := strings.Join(strings.Fields(text), " ")
	check.Contains(t, fields, "QUEUE TOTAL VISIBLE FLIGHT DELAYED OLDEST NEWEST READS SIZE ARCHIVE", "Orders 7 4 2 1 6h 1h 2 ", "empty 0 0 0 0 - - 0 ")
	check.Contains(t, check.Output(t, pgmq("stats", "ORDERS", url)), "Orders")
	check.Failure(t, pgmq("stats", "Orders", "no such", url), 1, `queue "no such": metrics: no such queue`)
	check.Failure(t, pgmq("stats", "--interval", "1ms", url), 2, "--interval")
	check.Failure(t, pgmq("stats", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
	check.Failure(t, pgmq("stats", "--watch", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
}

func TestStatsOfALongQueueAreEstimates(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) SELECT now(), to_jsonb(repeat('x', 1900)) FROM generate_series(1, 12000)`))
	s := statsLines(t, check.Output(t, pgmq("stats", q.Name(), "--json")))[0]
	check.Equal(t, "estimated", s.Estimated, true)
	if *s.Length < 11_000 || *s.Length > 13_000 {
		t.Errorf("%d of 12,000 messages", *s.Length)
	}
	check.Contains(t, check.Output(t, pgmq("stats", q.Name())), " ~1")
}

func TestStatsSayWhichQueuesARoleMayNotRead(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), check.OwnDatabase(t)
	for _, name := range []string{"gone", "orders", "secret"} {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	check.Exec(t, pool, `DROP TABLE pgmq.q_gone`)
	monitor := check.DocumentedOn(t, pool, "orders", "Monitor").Config().ConnConfig.RuntimeParams["role"]
	stats := func(args ...string) (string, string, int) {
		return ended(t, settings(pgmq(append(args, "--database-url="+check.DSN(pool))...), "role="+monitor))
	}
	stdout, stderr, code := stats("stats")
	check.Equal(t, "the exit code", code, 3)
	check.Contains(t, stdout, "gone: its table is gone\n", "secret: permission denied for table q_secret: docs/roles.md")
	check.Contains(t, strings.Join(strings.Fields(stdout), " "), "orders 0 0 0 0", "secret - - - -")
	check.Equal(t, "what it says", stderr, "pgmq: 2 queues could not be read\n")
	stdout, _, code = stats("stats", "--json", "orders", "secret")
	check.Equal(t, "the exit code", code, 3)
	lines := statsLines(t, stdout)
	check.Equal(t, "messages", *lines[0].Length, 0)
	check.Equal(t, "messages that may not be read", lines[1].Length, nil)
	check.Contains(t, lines[1].Problem, "permission denied")
	_, _, code = stats("stats", "orders")
	check.Equal(t, "the exit code of what it may read", code, 0)
}

func TestStatsWatchTellsWhatMoves(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[int](t)
	watch := pgmq("stats", q.Name(), "--watch", "--interval", "100ms", "--json")
	out, err := watch.StdoutPipe()
	check.OK(t, err)
	check.OK(t, watch.Start())
	in := bufio.NewReader(out)
	next := func() statsLine {
		t.Helper()
		line, err := in.ReadString('\n')
		check.OK(t, err)
		return statsLines(t, line)[0]
	}
	check.Equal(t, "a rate at the first look", next().Sent, nil)
	check.SendBatch(t, q, make([]int, 1000))
	// A look in the middle of the batch sees its ids, and not its messages yet.
	check.Eventually(t, "sends are seen", func() bool { return *next().Sent > 0 })
	check.Eventually(t, "the queue is quiet", func() bool { return *next().Sent == 0 })
	_, err = q.DeleteID(t.Context(), idsUpTo(500)...)
	check.OK(t, err)
	check.Eventually(t, "deletes are seen", func() bool { s := next(); return *s.Settled > 0 && *s.Sent == 0 })
	check.OK(t, watch.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, in)
	check.OK(t, err)
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, watch.Wait()).ExitCode(), 130)
}

func idsUpTo(n int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i) + 1
	}
	return all
}

func TestStatsWatchGoesOnWhenTheServerIsBack(t *testing.T) {
	check.Parallel(t)
	pgmq, q := check.Command(t), pgtest.Queue[int](t)
	config := pgtest.Pool().Config().ConnConfig
	p := netfault.NewProxy(pgconn.NetworkAddress(config.Host, config.Port))
	check.OK(t, p.Open())
	t.Cleanup(p.Close)
	url, err := p.URL(check.DSN(pgtest.Pool()))
	check.OK(t, err)
	var stdout, stderr transcript
	watch := pgmq("stats", q.Name(), "--watch", "--interval", "100ms", "--database-url="+url)
	watch.Stdout, watch.Stderr = &stdout, &stderr
	check.OK(t, watch.Start())
	blocks := func() int { return strings.Count(stdout.String(), "1 queue, every 100ms\nQUEUE") }
	check.Eventually(t, "it looks", func() bool { return blocks() > 1 })
	p.Close()
	check.Eventually(t, "it complains", func() bool { return strings.Contains(stderr.String(), "no answer") })
	before := blocks()
	check.OK(t, p.Open())
	check.Eventually(t, "it goes on", func() bool { return blocks() > before+1 })
	check.OK(t, watch.Process.Signal(os.Interrupt))
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, watch.Wait()).ExitCode(), 130)
	if strings.Contains(stdout.String()+stderr.String(), config.Password) || strings.Contains(stdout.String(), "\x1b") {
		t.Errorf("a password or a control code is in\n%s%s", stdout.String(), stderr.String())
	}
}

// transcript is the output of a running command.
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
	check.Parallel(t)
	pgmq, pool := check.Command(t), check.OwnDatabase(t)
	for i := range 20 {
		check.OK(t, admin.Create(t.Context(), pool, fmt.Sprintf("a_queue_with_a_name_that_is_rather_long_%d", i)))
	}
	var screen transcript
	watch := check.Cmd(t, "script", "-qec",
		"stty cols 80 rows 10; "+pgmq().Path+" stats --watch --interval 100ms", "/dev/null")
	watch.Env = slices.Concat(pgmq().Env, []string{"DATABASE_URL=" + check.DSN(pool), "TERM=xterm-256color", "NO_COLOR=1"})
	watch.Stdout = &screen
	keys, err := watch.StdinPipe()
	check.OK(t, err)
	check.OK(t, watch.Start())
	const home, end = "\x1b[H", "\x1b[J"
	check.Eventually(t, "it draws", func() bool { return strings.Count(screen.String(), end) > 2 })
	_, err = keys.Write([]byte("\x03")) // ctrl-C
	check.OK(t, err)
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, watch.Wait()).ExitCode(), 130)

	text := strings.ReplaceAll(screen.String(), "\r\n", "\n")
	before, last, _ := strings.Cut(text, "\x1b[?1049l")
	check.Contains(t, before, "\x1b[?1049h", "\x1b[?25l")
	check.Contains(t, before, "\x1b[?25h")
	check.Equal(t, "bold with NO_COLOR", strings.Contains(text, "\x1b[1m"), false)
	_, drawn, _ := strings.Cut(before, home)
	drawn, _, _ = strings.Cut(drawn, end)
	drawn = strings.ReplaceAll(drawn, "\x1b[K", "")
	narrow(t, drawn)
	check.Equal(t, "lines on a screen of ten", strings.Count(drawn, "\n"), 9)
	check.Contains(t, drawn, "20 queues, every 100ms\n", " SENT/S DONE/S\n", "a_queue_with", "… and 13 lines that the window has no room for")
	check.Contains(t, last, "20 queues, every 100ms\n", "pgmq: interrupted")
	check.Equal(t, "lines that stay", strings.Count(last, "a_queue_with"), 20)
}
