package cli

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
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// raw is a body as it is stored.
type raw = json.RawMessage

// commandHere is command with the tests' database in its environment.
func commandHere(t testing.TB) func(args ...string) *osexec.Cmd {
	t.Helper()
	pgmq := check.Command(t)
	return func(args ...string) *osexec.Cmd {
		cmd := pgmq(args...)
		cmd.Env = append(cmd.Env, "DATABASE_URL="+check.DSN(pgtest.Pool()))
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

// ended runs a command and returns its output and its exit code.
func ended(t testing.TB, cmd *osexec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		code = check.As[*osexec.ExitError](t, err).ExitCode()
	}
	return out.String(), complaints.String(), code
}

// stored are the bodies of a queue, by id.
func stored(t testing.TB, name string) []string {
	t.Helper()
	return check.Values[string](t, pgtest.Pool(), check.Tables(name, `SELECT message::text FROM {Q} ORDER BY msg_id`))
}

func TestCommandSendsOneMessage(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	check.Equal(t, "what it says", check.Output(t, pgmq("send", q.Name(), `{"order_id": 42}`)), fmt.Sprintf("sent message 1 to queue %q\n", q.Name()))
	check.Equal(t, "the id", check.Output(t, pgmq("send", q.Name(), `"later"`, "--json", "--delay", "1h", "--headers", `{"n": 12345678901234567890}`, "--group", "g")), "{\"msg_id\":2}\n")
	check.Same(t, "bodies", stored(t, q.Name()), []string{`{"order_id": 42}`, `"later"`})
	m := check.Peek(t, q, 1, queue.FromID(2))[0]
	check.Equal(t, "its headers", string(m.RawHeaders()), `{"n": 12345678901234567890, "x-pgmq-group": "g"}`)
	check.Equal(t, "its delay", m.VisibleAt.Sub(m.EnqueuedAt).Round(time.Minute), time.Hour)

	check.Failure(t, pgmq("send", q.Name(), `text`), 2, "JSON", `'"text"'`)
	check.Failure(t, pgmq("send", q.Name(), `1`, "--headers", "[1]"), 2, "--headers", "object")
	check.Failure(t, pgmq("send", q.Name(), `1`, "--headers", "{} {}"), 2, "--headers", "object")
	check.Failure(t, pgmq("send", q.Name(), `1`, "--delay", "-1s"), 2, "--delay")
	check.Failure(t, pgmq("send", q.Name(), `1`, "--file", "x"), 2, "exclude")
	check.Failure(t, pgmq("send", q.Name(), `"\u0000"`), 1, "NUL")
	check.Failure(t, pgmq("send"), 2, "QUEUE", "--help")
	check.Failure(t, pgmq("send", q.Name(), "--file", "no/such/file"), 1, "no/such/file")
	check.Failure(t, pgmq("send", q.Name(), "--file", "/"), 1, "is a directory")
	check.Equal(t, "messages", check.Length(t, q), 2)
}

func TestCommandSendsLinesAndTellsOfBrokenOnes(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	lines := []string{`{"a":1}`, `not json s3cret`, ``, `"\u0000"`, `1e400000`, `null`, `[1,2`, `"` + strings.Repeat("x", 17<<20) + `"`, `"last"`}
	stdout, stderr, code := ended(t, piped(pgmq("send", q.Name()), strings.Join(lines, "\n")))
	check.Equal(t, "the exit code", code, 3)
	check.Equal(t, "what it says", stdout, fmt.Sprintf("sent 3 messages to queue %q\n", q.Name()))
	for _, number := range []int{2, 4, 5, 7, 8} {
		check.Contains(t, stderr, fmt.Sprintf("line %d was left out: ", number))
	}
	check.Contains(t, stderr, "pgmq: 5 lines left out\n")
	check.Equal(t, "lines of complaint", strings.Count(stderr, "\n"), 6)
	if strings.Contains(stderr, "s3cret") {
		t.Fatal("a payload is shown")
	}
	check.Same(t, "bodies", stored(t, q.Name()), []string{`{"a": 1}`, `null`, `"last"`})

	file := filepath.Join(t.TempDir(), "lines")
	check.OK(t, os.WriteFile(file, []byte("1\n2\n3"), 0o600))
	check.Equal(t, "ids", check.Output(t, pgmq("send", q.Name(), "--file", file, "--skip", "1", "--json")), "{\"msg_id\":4}\n{\"msg_id\":5}\n")
	check.Same(t, "bodies", stored(t, q.Name())[3:], []string{`2`, `3`})
	_, stderr, code = ended(t, piped(pgmq("send", q.Name()), "4\nno\n5"))
	check.Equal(t, "the exit code with one broken line", code, 3)
	check.Contains(t, stderr, "pgmq: 1 line left out\n")
}

func TestCommandSendsWhatItWrote(t *testing.T) {
	check.Parallel(t)
	pgmq, from, to := commandHere(t), pgtest.Queue[raw](t), pgtest.Queue[raw](t)
	check.Send(t, from, raw(`{"n": 12345678901234567890, "html": "<&>"}`), queue.Headers{"trace": "abc"})
	check.Send(t, from, raw(`null`))
	check.Exec(t, pgtest.Pool(), check.Tables(from.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), NULL)`))
	_, err := from.ArchiveID(t.Context(), 2)
	check.OK(t, err)
	written := check.Output(t, pgmq("peek", from.Name())) + check.Output(t, pgmq("archive", "list", from.Name())) + check.Output(t, pgmq("read", from.Name()))
	check.Equal(t, "what it says", check.Output(t, piped(pgmq("send", to.Name(), "--envelope", "-"), written)), fmt.Sprintf("sent 4 messages to queue %q\n", to.Name()))
	check.Same(t, "messages", check.Values[string](t, pgtest.Pool(), check.Tables(to.Name(), `SELECT concat_ws(' ', message, headers) FROM {Q} ORDER BY msg_id`)), []string{
		`{"n": 12345678901234567890, "html": "<&>"} {"trace": "abc"}`, `null`, `null`, `{"n": 12345678901234567890, "html": "<&>"} {"trace": "abc"}`,
	})
}

func TestCommandSendsEnvelopes(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	lines := []string{
		`{"message": 1, "headers": {"a": 1, "b": 3}, "delay": 3600}`,
		`{"message": 2}`,
		`{"headers": {}}`, `{"message": 3, "haeders": {}}`, `[4]`, `{"message": 5, "headers": "no"}`, `{"message": 6, "delay": -1}`, `{"message": 7, "delay": 1e99}`,
	}
	_, stderr, code := ended(t, piped(pgmq("send", q.Name(), "--envelope", "--headers", `{"a": 0, "c": 0}`, "--delay", "1m"), strings.Join(lines, "\n")))
	check.Equal(t, "the exit code", code, 3)
	for number, why := range map[int]string{3: "no message", 4: `"haeders"`, 5: "no envelope", 6: "no envelope", 7: "delay", 8: "delay"} {
		if !regexp.MustCompile(fmt.Sprintf(`line %d was left out: .*%s`, number, why)).MatchString(stderr) {
			t.Errorf("%q is missing for line %d in\n%s", why, number, stderr)
		}
	}
	check.Same(t, "messages", check.Values[string](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT concat_ws(' ', message, headers, date_trunc('minute', vt - enqueued_at)) FROM {Q} ORDER BY msg_id`)), []string{
		`1 {"a": 1, "b": 3, "c": 0} 01:00:00`, `2 {"a": 0, "c": 0} 00:01:00`,
	})
}

// A hundred thousand lines of a KiB, in a fraction of their size.
func TestCommandSendsAnyNumberOfLinesInBoundedMemory(t *testing.T) {
	check.Slow(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t, admin.Unlogged)
	const lines = 100_000
	feed := pgmq("send", q.Name())
	in, err := feed.StdinPipe()
	check.OK(t, err)
	check.OK(t, feed.Start())
	pad := `, "pad": "` + strings.Repeat("x", 1000) + "\"}\n"
	for i := range lines {
		_, err := io.WriteString(in, `{"n": `+strconv.Itoa(i)+pad)
		check.OK(t, err)
	}
	check.Eventually(t, "all are sent", func() bool { return reached(t, q, lines) })
	bounded(t, feed)
	check.OK(t, in.Close())
	check.OK(t, feed.Wait())
	check.Equal(t, "messages that are not in order", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `
		SELECT count(*)::int FROM {Q} WHERE (message ->> 'n')::bigint <> msg_id - 1`)), 0)
}

// reached tells whether a queue has had so many messages.
func reached(t testing.TB, q *queue.Queue[raw], n int64) bool {
	t.Helper()
	return check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT EXISTS (SELECT FROM {Q} WHERE msg_id >= $1)`), n)
}

// bounded fails the test unless a command that runs has got along with 64 MiB.
func bounded(t testing.TB, cmd *osexec.Cmd) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	check.OK(t, err)
	most := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	kib, err := strconv.Atoi(string(most[1]))
	check.OK(t, err)
	if kib > 64<<10 {
		t.Errorf("it used %d KiB", kib)
	}
}

func TestCommandSendsWhatComesBeforeAPause(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	feed := pgmq("send", q.Name())
	in, err := feed.StdinPipe()
	check.OK(t, err)
	check.OK(t, feed.Start())
	for i := range 3 {
		_, err := fmt.Fprintln(in, i)
		check.OK(t, err)
		check.Eventually(t, "a line is sent while the pipe stays open", func() bool { return check.Length(t, q) == int64(i+1) })
	}
	check.OK(t, in.Close())
	check.OK(t, feed.Wait())
}

// goOn returns the number behind --skip in the output of an interrupted send.
func goOn(t testing.TB, stderr string) string {
	t.Helper()
	skip := regexp.MustCompile(`--skip (\d+) goes on from there`).FindStringSubmatch(stderr)
	if skip == nil || strings.Count(stderr, "\n") != 1 {
		t.Fatalf("it says %q", stderr)
	}
	return skip[1]
}

func TestCommandGoesOnAfterCtrlCWithNothingLostOrDoubled(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	const lines = 200_000
	var text strings.Builder
	for i := range lines {
		fmt.Fprintln(&text, i)
	}
	file := filepath.Join(t.TempDir(), "lines")
	check.OK(t, os.WriteFile(file, []byte(text.String()), 0o600))

	skip := "0"
	for _, enough := range []int64{3000, 20_000} {
		first := pgmq("send", q.Name(), "--file", file, "--skip", skip)
		var stderr bytes.Buffer
		first.Stderr = &stderr
		check.OK(t, first.Start())
		check.Eventually(t, "some are sent", func() bool { return reached(t, q, enough) })
		check.OK(t, first.Process.Signal(os.Interrupt))
		check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, first.Wait()).ExitCode(), 130)
		check.Contains(t, stderr.String(), "pgmq: interrupted; ")
		skip = goOn(t, stderr.String())
		check.Equal(t, "messages", fmt.Sprint(check.Length(t, q)), skip)
	}
	check.Output(t, pgmq("send", q.Name(), "--file", file, "--skip", skip))
	check.Equal(t, "messages", check.Length(t, q), lines)
	check.Equal(t, "bodies", check.Value[int64](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(DISTINCT message) FROM {Q}`)), lines)
}

func TestCommandTellsWhereItStoppedWhenTheServerGoesAway(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	feed := pgmq("send", q.Name())
	var stderr bytes.Buffer
	feed.Stderr = &stderr
	in, err := feed.StdinPipe()
	check.OK(t, err)
	check.OK(t, feed.Start())
	_, err = io.WriteString(in, "1\n2\n")
	check.OK(t, err)
	check.Eventually(t, "two are sent", func() bool { return check.Length(t, q) == 2 })

	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	defer func() { check.OK(t, tx.Rollback(t.Context())) }()
	check.Exec(t, tx, check.Tables(q.Name(), `LOCK TABLE {Q} IN ACCESS EXCLUSIVE MODE`))
	_, err = io.WriteString(in, "3\n4\n")
	check.OK(t, err)
	check.Eventually(t, "the third one waits and is cut off", func() bool {
		return check.Value[bool](t, tx, `
			SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_locks
			WHERE NOT granted AND relation = $1::regclass`, check.Tables(q.Name(), "{Q}"))
	})
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, feed.Wait()).ExitCode(), 1)
	check.Equal(t, "the line to go on from", goOn(t, stderr.String()), "2")
	check.Contains(t, stderr.String(), "terminating connection", "2 messages sent, up to line 2")
}
