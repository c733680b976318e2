package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// raw is a body as it is stored.
type raw = json.RawMessage

// commandHere is command with the tests' database in its environment.
func commandHere(t testing.TB) func(args ...string) *osexec.Cmd {
	t.Helper()
	pgmq := command(t)
	return func(args ...string) *osexec.Cmd {
		cmd := pgmq(args...)
		cmd.Env = append(cmd.Env, "DATABASE_URL="+dsn(pgtest.Pool()))
		return cmd
	}
}

// settings adds settings of a session to the database in a command's environment.
func settings(cmd *osexec.Cmd, set string) *osexec.Cmd {
	cmd.Env = append(cmd.Env, "PGOPTIONS=-c "+set)
	return cmd
}

// piped gives a command its standard input.
func piped(cmd *osexec.Cmd, input string) *osexec.Cmd {
	cmd.Stdin = strings.NewReader(input)
	return cmd
}

// ended runs a command and returns what it wrote and its exit code.
func ended(t testing.TB, cmd *osexec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		code = as[*osexec.ExitError](t, err).ExitCode()
	}
	return out.String(), complaints.String(), code
}

// stored are the bodies of a queue, by id.
func stored(t testing.TB, name string) []string {
	t.Helper()
	return values[string](t, pgtest.Pool(), tables(name, `SELECT message::text FROM {Q} ORDER BY msg_id`))
}

func TestCommandSendsOneMessage(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	equal(t, "what it says", output(t, pgmq("send", q.Name(), `{"order_id": 42}`)), fmt.Sprintf("sent message 1 to queue %q\n", q.Name()))
	equal(t, "the id", output(t, pgmq("send", q.Name(), `"later"`, "--json", "--delay", "1h", "--headers", `{"n": 12345678901234567890}`, "--group", "g")), "{\"msg_id\":2}\n")
	same(t, "bodies", stored(t, q.Name()), []string{`{"order_id": 42}`, `"later"`})
	m := peek(t, q, 1, queue.From(2))[0]
	equal(t, "its headers", string(m.RawHeaders()), `{"n": 12345678901234567890, "x-pgmq-group": "g"}`)
	equal(t, "its delay", m.VisibleAt.Sub(m.EnqueuedAt).Round(time.Minute), time.Hour)

	failure(t, pgmq("send", q.Name(), `text`), 2, "JSON", `'"text"'`)
	failure(t, pgmq("send", q.Name(), `1`, "--headers", "[1]"), 2, "--headers", "object")
	failure(t, pgmq("send", q.Name(), `1`, "--headers", "{} {}"), 2, "--headers", "object")
	failure(t, pgmq("send", q.Name(), `1`, "--delay", "-1s"), 2, "--delay")
	failure(t, pgmq("send", q.Name(), `1`, "--file", "x"), 2, "exclude")
	failure(t, pgmq("send", q.Name(), `"\u0000"`), 1, "NUL")
	failure(t, pgmq("send"), 2, "QUEUE", "--help")
	failure(t, pgmq("send", q.Name(), "--file", "no/such/file"), 1, "no/such/file")
	failure(t, pgmq("send", q.Name(), "--file", "/"), 1, "is a directory")
	equal(t, "messages", length(t, q), 2)
}

func TestCommandSendsLinesAndTellsOfBrokenOnes(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	lines := []string{`{"a":1}`, `not json s3cret`, ``, `"\u0000"`, `1e400000`, `null`, `[1,2`, `"` + strings.Repeat("x", 17<<20) + `"`, `"last"`}
	stdout, stderr, code := ended(t, piped(pgmq("send", q.Name()), strings.Join(lines, "\n")))
	equal(t, "the exit code", code, 3)
	equal(t, "what it says", stdout, fmt.Sprintf("sent 3 messages to queue %q\n", q.Name()))
	for _, number := range []int{2, 4, 5, 7, 8} {
		contains(t, stderr, fmt.Sprintf("line %d was left out: ", number))
	}
	contains(t, stderr, "pgmq: 5 lines left out\n")
	equal(t, "lines of complaint", strings.Count(stderr, "\n"), 6)
	if strings.Contains(stderr, "s3cret") {
		t.Fatal("a payload is shown")
	}
	same(t, "bodies", stored(t, q.Name()), []string{`{"a": 1}`, `null`, `"last"`})

	file := filepath.Join(t.TempDir(), "lines")
	ok(t, os.WriteFile(file, []byte("1\n2\n3"), 0o600))
	equal(t, "ids", output(t, pgmq("send", q.Name(), "--file", file, "--skip", "1", "--json")), "{\"msg_id\":4}\n{\"msg_id\":5}\n")
	same(t, "bodies", stored(t, q.Name())[3:], []string{`2`, `3`})
	_, stderr, code = ended(t, piped(pgmq("send", q.Name()), "4\nno\n5"))
	equal(t, "the exit code with one broken line", code, 3)
	contains(t, stderr, "pgmq: 1 line left out\n")
}

func TestCommandSendsWhatItWrote(t *testing.T) {
	t.Parallel()
	pgmq, from, to := commandHere(t), pgtest.Queue[raw](t), pgtest.Queue[raw](t)
	send(t, from, raw(`{"n": 12345678901234567890, "html": "<&>"}`), queue.Headers{"trace": "abc"})
	send(t, from, raw(`null`))
	exec(t, pgtest.Pool(), tables(from.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), NULL)`))
	_, err := from.ArchiveID(t.Context(), 2)
	ok(t, err)
	written := output(t, pgmq("peek", from.Name())) + output(t, pgmq("archive", "list", from.Name())) + output(t, pgmq("read", from.Name()))
	equal(t, "what it says", output(t, piped(pgmq("send", to.Name(), "--envelope", "-"), written)), fmt.Sprintf("sent 4 messages to queue %q\n", to.Name()))
	same(t, "messages", values[string](t, pgtest.Pool(), tables(to.Name(), `SELECT concat_ws(' ', message, headers) FROM {Q} ORDER BY msg_id`)), []string{
		`{"n": 12345678901234567890, "html": "<&>"} {"trace": "abc"}`, `null`, `null`, `{"n": 12345678901234567890, "html": "<&>"} {"trace": "abc"}`,
	})
}

func TestCommandSendsEnvelopes(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	lines := []string{
		`{"message": 1, "headers": {"a": 1, "b": 3}, "delay": 3600}`,
		`{"message": 2}`,
		`{"headers": {}}`, `{"message": 3, "haeders": {}}`, `[4]`, `{"message": 5, "headers": "no"}`, `{"message": 6, "delay": -1}`, `{"message": 7, "delay": 1e99}`,
	}
	_, stderr, code := ended(t, piped(pgmq("send", q.Name(), "--envelope", "--headers", `{"a": 0, "c": 0}`, "--delay", "1m"), strings.Join(lines, "\n")))
	equal(t, "the exit code", code, 3)
	for number, why := range map[int]string{3: "no message", 4: `"haeders"`, 5: "no envelope", 6: "no envelope", 7: "delay", 8: "delay"} {
		if !regexp.MustCompile(fmt.Sprintf(`line %d was left out: .*%s`, number, why)).MatchString(stderr) {
			t.Errorf("%q is missing for line %d in\n%s", why, number, stderr)
		}
	}
	same(t, "messages", values[string](t, pgtest.Pool(), tables(q.Name(), `SELECT concat_ws(' ', message, headers, date_trunc('minute', vt - enqueued_at)) FROM {Q} ORDER BY msg_id`)), []string{
		`1 {"a": 1, "b": 3, "c": 0} 01:00:00`, `2 {"a": 0, "c": 0} 00:01:00`,
	})
}

// A hundred thousand lines of a KiB, in a fraction of their size.
func TestCommandSendsAnyNumberOfLinesInBoundedMemory(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t, queue.Unlogged)
	const lines = 100_000
	feed := pgmq("send", q.Name())
	in, err := feed.StdinPipe()
	ok(t, err)
	ok(t, feed.Start())
	pad := `, "pad": "` + strings.Repeat("x", 1000) + "\"}\n"
	for i := range lines {
		_, err := io.WriteString(in, `{"n": `+strconv.Itoa(i)+pad)
		ok(t, err)
	}
	eventually(t, "all are sent", func() bool { return reached(t, q, lines) })
	bounded(t, feed)
	ok(t, in.Close())
	ok(t, feed.Wait())
	equal(t, "messages that are not in order", value[int](t, pgtest.Pool(), tables(q.Name(), `
		SELECT count(*)::int FROM {Q} WHERE (message ->> 'n')::bigint <> msg_id - 1`)), 0)
}

// reached tells whether a queue has had so many messages.
func reached(t testing.TB, q *queue.Queue[raw], n int64) bool {
	t.Helper()
	return value[bool](t, pgtest.Pool(), tables(q.Name(), `SELECT EXISTS (SELECT FROM {Q} WHERE msg_id >= $1)`), n)
}

// bounded fails the test unless a command that runs has got along with 64 MiB.
func bounded(t testing.TB, cmd *osexec.Cmd) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	ok(t, err)
	most := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	kib, err := strconv.Atoi(string(most[1]))
	ok(t, err)
	if kib > 64<<10 {
		t.Errorf("it used %d KiB", kib)
	}
}

func TestCommandSendsWhatComesBeforeAPause(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	feed := pgmq("send", q.Name())
	in, err := feed.StdinPipe()
	ok(t, err)
	ok(t, feed.Start())
	for i := range 3 {
		_, err := fmt.Fprintln(in, i)
		ok(t, err)
		eventually(t, "a line is sent while the pipe stays open", func() bool { return length(t, q) == int64(i+1) })
	}
	ok(t, in.Close())
	ok(t, feed.Wait())
}

// goOn returns the number behind --skip in what an interrupted send says.
func goOn(t testing.TB, stderr string) string {
	t.Helper()
	skip := regexp.MustCompile(`--skip (\d+) goes on from there`).FindStringSubmatch(stderr)
	if skip == nil || strings.Count(stderr, "\n") != 1 {
		t.Fatalf("it says %q", stderr)
	}
	return skip[1]
}

func TestCommandGoesOnAfterCtrlCWithNothingLostOrDoubled(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	const lines = 200_000
	var text strings.Builder
	for i := range lines {
		fmt.Fprintln(&text, i)
	}
	file := filepath.Join(t.TempDir(), "lines")
	ok(t, os.WriteFile(file, []byte(text.String()), 0o600))

	skip := "0"
	for _, enough := range []int64{3000, 20_000} {
		first := pgmq("send", q.Name(), "--file", file, "--skip", skip)
		var stderr bytes.Buffer
		first.Stderr = &stderr
		ok(t, first.Start())
		eventually(t, "some are sent", func() bool { return reached(t, q, enough) })
		ok(t, first.Process.Signal(os.Interrupt))
		equal(t, "the exit code", as[*osexec.ExitError](t, first.Wait()).ExitCode(), 130)
		contains(t, stderr.String(), "pgmq: interrupted; ")
		skip = goOn(t, stderr.String())
		equal(t, "messages", fmt.Sprint(length(t, q)), skip)
	}
	output(t, pgmq("send", q.Name(), "--file", file, "--skip", skip))
	equal(t, "messages", length(t, q), lines)
	equal(t, "bodies", value[int64](t, pgtest.Pool(), tables(q.Name(), `SELECT count(DISTINCT message) FROM {Q}`)), lines)
}

func TestCommandTellsWhereItStoppedWhenTheServerGoesAway(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	feed := pgmq("send", q.Name())
	var stderr bytes.Buffer
	feed.Stderr = &stderr
	in, err := feed.StdinPipe()
	ok(t, err)
	ok(t, feed.Start())
	_, err = io.WriteString(in, "1\n2\n")
	ok(t, err)
	eventually(t, "two are sent", func() bool { return length(t, q) == 2 })

	tx, err := pgtest.Pool().Begin(t.Context())
	ok(t, err)
	defer func() { ok(t, tx.Rollback(t.Context())) }()
	exec(t, tx, tables(q.Name(), `LOCK TABLE {Q} IN ACCESS EXCLUSIVE MODE`))
	_, err = io.WriteString(in, "3\n4\n")
	ok(t, err)
	eventually(t, "the third one waits and is cut off", func() bool {
		return value[bool](t, tx, `
			SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_locks
			WHERE NOT granted AND relation = $1::regclass`, tables(q.Name(), "{Q}"))
	})
	equal(t, "the exit code", as[*osexec.ExitError](t, feed.Wait()).ExitCode(), 1)
	equal(t, "the line to go on from", goOn(t, stderr.String()), "2")
	contains(t, stderr.String(), "terminating connection", "2 messages sent, up to line 2")
}

// faulty are commands for a queue, and none works where the queue cannot be
// reached, or only read.
var faulty = [][]string{
	{"send", "QUEUE", "1"},
	{"read", "QUEUE"},
	{"pop", "QUEUE"},
	{"delete", "QUEUE", "1"},
	{"archive", "QUEUE", "1"},
	{"set-vt", "QUEUE", "1m", "1"},
	{"archive", "replay", "QUEUE", "--all"},
	{"archive", "prune", "QUEUE", "--before", "0s", "--yes"},
	{"queue", "purge", "QUEUE", "--yes"},
	{"redrive", "QUEUE", "OTHER"},
	// These two only read.
	{"peek", "QUEUE"},
	{"archive", "list", "QUEUE"},
}

func onQueue(args []string, name, other string) []string {
	replaced := strings.NewReplacer("QUEUE", name, "OTHER", other)
	all := make([]string, len(args))
	for i, arg := range args {
		all[i] = replaced.Replace(arg)
	}
	return all
}

func TestEveryCommandFailsInOneClearLine(t *testing.T) {
	t.Parallel()
	pgmq, here := command(t), commandHere(t)
	q, other := pgtest.Queue[raw](t), pgtest.Queue[raw](t)
	sendBatch(t, q, []raw{raw("1"), raw("2")})
	_, err := q.ArchiveID(t.Context(), 1)
	ok(t, err)
	empty := pgtest.Database(t)
	reader := role(t, "reader", "GRANT USAGE ON SCHEMA pgmq", tables(q.Name(), "GRANT SELECT ON {Q}, {A}"))
	readerRole := reader.Config().ConnConfig.RuntimeParams["role"]
	nobodyRole := role(t, "nobody").Config().ConnConfig.RuntimeParams["role"]

	for i, args := range faulty {
		args := onQueue(args, q.Name(), other.Name())
		failure(t, pgmq(args...), 1, "no database", "--database-url")
		failure(t, pgmq(append(args, "--database-url=postgres://u:s3cret@127.0.0.1:1/x")...), 1, "no answer", "refused")
		failure(t, pgmq(append(args, "--database-url="+pgtest.URL("no_such_database"))...), 1, "no_such_database", "does not exist")
		failure(t, here(onQueue(faulty[i], "a;b", "c")...), 1, "invalid queue name")
		failure(t, here(onQueue(faulty[i], "no such", other.Name())...), 1, "no such queue", "pgmq queue create")
		failure(t, pgmq(append(args, "--database-url="+dsn(empty))...), 1, "pgmq")
		failure(t, settings(here(args...), "role="+nobodyRole), 1, "permission denied", "grant")
		if i < len(faulty)-2 {
			failure(t, settings(here(args...), "role="+readerRole), 1, "permission denied", "grant")
			failure(t, settings(here(args...), "default_transaction_read_only=on"), 1, "read-only transaction", "standby")
		} else {
			output(t, settings(here(args...), "role="+readerRole))
			output(t, settings(here(args...), "default_transaction_read_only=on"))
		}
	}
	equal(t, "messages", length(t, q), 1)
	equal(t, "archived", len(archivedIDs(t, q)), 1)
}
