package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

func TestCommandListsReplaysAndPrunesAnArchive(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), inArchive(t, 250)
	list := func(args ...string) []record {
		t.Helper()
		return records(t, output(t, pgmq(append([]string{"archive", "list", q.Name()}, args...)...)))
	}
	all := list()
	equal(t, "messages", len(all), 250)
	equal(t, "a body", string(all[41].Message), "42")
	equal(t, "archived at", all[41].ArchivedAt.Equal(hourly(42)), true)
	equal(t, "the third from 100 on", list("--from", "100", "-n", "3")[2].ID, 102)
	in := list("--since", "2020-01-01T10:00:00Z", "--until", "2020-01-01T12:00:00Z")
	equal(t, "messages in two hours", len(in), 2)
	equal(t, "the first of them", in[0].ID, 10)
	equal(t, "messages of more than 3 days ago", len(list("--until", "3d")), 250)
	failure(t, pgmq("archive", "list", q.Name(), "--since", "72h"), 3, "no such message")
	failure(t, pgmq("archive", "list", q.Name(), "--since", "yesterday"), 2, "--since", "12h")
	failure(t, pgmq("archive", "list", q.Name(), "--since", "-1h"), 2, "--since")

	replay := func(args ...string) string {
		t.Helper()
		return output(t, pgmq(append([]string{"archive", "replay", q.Name()}, args...)...))
	}
	equal(t, "what it says", replay("250", "1", "1"), fmt.Sprintf("replayed 2 messages to queue %q\n", q.Name()))
	stdout, stderr, code := ended(t, pgmq("archive", "replay", q.Name(), "1", "2"))
	equal(t, "the exit code", code, 3)
	equal(t, "what it says", stdout+stderr, fmt.Sprintf("replayed 1 message to queue %q\npgmq: 1 message not there\n", q.Name()))
	equal(t, "what it says", replay("--since", "2020-01-01T10:00:00Z", "--until", "2020-01-01T12:00:00Z", "--json"), "{\"replayed\":2}\n")
	equal(t, "messages", length(t, q), 5)
	failure(t, pgmq("archive", "replay", q.Name()), 2, "--all")
	failure(t, pgmq("archive", "replay", q.Name(), "--all", "3"), 2, "exclude")
	failure(t, pgmq("archive", "replay", q.Name(), "x"), 2, `"x"`)

	failure(t, piped(pgmq("archive", "prune", q.Name(), "--before", "30d"), "y\n"), 1, "--yes")
	failure(t, pgmq("archive", "prune", q.Name()), 2, "--before")
	equal(t, "in the archive", len(archivedIDs(t, q)), 245)
	equal(t, "what it says", output(t, pgmq("archive", "prune", q.Name(), "--before", "2020-01-11T00:00:00Z", "--yes")), fmt.Sprintf("deleted 235 messages from the archive of queue %q\n", q.Name()))
	equal(t, "what it says", output(t, pgmq("archive", "prune", q.Name(), "--before", "30d", "--yes", "--json")), "{\"deleted\":10}\n")
	equal(t, "what it says", replay("--all"), fmt.Sprintf("replayed 0 messages to queue %q\n", q.Name()))
	equal(t, "messages", length(t, q), 5)
}

// A subcommand has its name; a queue of the same name goes behind a --.
func TestAQueueMayBeCalledLikeACommand(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	url := "--database-url=" + dsn(pool)
	for _, name := range []string{"list", "replay", "prune"} {
		output(t, pgmq("queue", "create", name, url))
		output(t, pgmq("send", name, "1", url))
		contains(t, output(t, pgmq("archive", url, "--", name, "1")), "archived 1 message of queue", name)
		equal(t, "in the archive", len(records(t, output(t, pgmq("archive", "list", name, url)))), 1)
	}
}

func TestCommandEndsQuietlyWhenNobodyReadsItsOutput(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) SELECT now(), to_jsonb(repeat('x', 100)) FROM generate_series(1, 20000)`))
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {A} (msg_id, vt, message) SELECT msg_id, vt, message FROM {Q}`))
	for _, args := range [][]string{
		{"archive", "list", q.Name()},
		{"peek", q.Name(), "-n", "20000"},
		{"read", q.Name(), "-n", "20000"},
		{"set-vt", q.Name(), "0s", "--json", "-"},
	} {
		cmd := piped(pgmq(args...), strings.Join(strings.Fields(fmt.Sprint(values[int64](t, pgtest.Pool(), `SELECT generate_series(1, 20000)`))), "\n"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		ok(t, err)
		ok(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		ok(t, err)
		ok(t, out.Close())
		equal(t, "the exit code", as[*osexec.ExitError](t, cmd.Wait()).ExitCode(), 141)
		if args[0] == "set-vt" { // it changes something
			contains(t, stderr.String(), "pgmq: nobody reads the output any more; before that it made ")
			continue
		}
		equal(t, "what it says", stderr.String(), "")
	}

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	ok(t, err)
	defer full.Close()
	for _, args := range [][]string{{"archive", "list", q.Name()}, {"send", q.Name(), "1"}} {
		cmd := pgmq(args...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &stderr
		equal(t, "the exit code", as[*osexec.ExitError](t, cmd.Run()).ExitCode(), 1)
		contains(t, stderr.String(), "no space left on device")
	}
}

func TestCommandListsAnArchiveInBoundedMemory(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	const lines = 100_000
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {A} (msg_id, vt, message) SELECT i, now(), to_jsonb(repeat('x', 1000)) FROM generate_series(1, $1) AS i`), lines)
	list := pgmq("archive", "list", q.Name())
	out, err := list.StdoutPipe()
	ok(t, err)
	ok(t, list.Start())
	in := bufio.NewReader(out)
	for n := range lines {
		if n == lines-1000 { // which no pipe holds, so it still runs
			bounded(t, list)
		}
		_, err := in.ReadSlice('\n')
		ok(t, err)
	}
	ok(t, list.Wait())
}

func TestReplayThatIsKilledGoesOnWithNothingLostOrDoubled(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	const all = 100_000
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {A} (msg_id, vt, message) SELECT i, now(), to_jsonb(i) FROM generate_series(1, $1) AS i`), all)
	for _, enough := range []int64{1000, 20_000} {
		replay := pgmq("archive", "replay", q.Name(), "--all")
		ok(t, replay.Start())
		eventually(t, "some are replayed", func() bool { return reached(t, q, enough) })
		ok(t, replay.Process.Kill())
		equal(t, "killed", replay.Wait() != nil, true)
	}
	replay := pgmq("archive", "replay", q.Name(), "--all")
	var stderr bytes.Buffer
	replay.Stderr = &stderr
	before := length(t, q)
	ok(t, replay.Start())
	eventually(t, "some more are replayed", func() bool { return reached(t, q, before+2000) })
	ok(t, replay.Process.Signal(os.Interrupt))
	equal(t, "the exit code", as[*osexec.ExitError](t, replay.Wait()).ExitCode(), 130)
	contains(t, stderr.String(), "pgmq: interrupted; at least ", "running it again goes on")

	output(t, pgmq("archive", "replay", q.Name(), "--all"))
	equal(t, "messages", length(t, q), all)
	equal(t, "bodies", value[int64](t, pgtest.Pool(), tables(q.Name(), `SELECT count(DISTINCT message) FROM {Q}`)), all)
	equal(t, "in the archive", len(archivedIDs(t, q)), 0)
}

func TestCommandRedrivesAndPurges(t *testing.T) {
	t.Parallel()
	pgmq := commandHere(t)
	q, dead := killed(t, numbered(10))
	redrive := func(args ...string) string {
		t.Helper()
		return output(t, pgmq(append([]string{"redrive", dead.Name(), q.Name()}, args...)...))
	}
	equal(t, "what it says", redrive("--id", "1,2"), fmt.Sprintf("redrove 2 messages to queue %q\n", q.Name()))
	stdout, stderr, code := ended(t, pgmq("redrive", dead.Name(), q.Name(), "--id", "2", "--id", "3"))
	equal(t, "the exit code", code, 3)
	equal(t, "what it says", stdout+stderr, fmt.Sprintf("redrove 1 message to queue %q\npgmq: 1 message not there\n", q.Name()))
	equal(t, "what it says", redrive("--containing", `{"order_id": 5}`, "--json"), "{\"redriven\":1}\n")
	equal(t, "what it says", redrive("--reason", "dead letter", "--rate", "1000"), fmt.Sprintf("redrove 3 messages to queue %q\n", q.Name()))
	equal(t, "what it says", redrive(), fmt.Sprintf("redrove 3 messages to queue %q\n", q.Name()))
	failure(t, pgmq("redrive", dead.Name(), q.Name(), "--reason", "bad luck"), 2, "bad luck", "max reads")
	failure(t, pgmq("redrive", dead.Name(), q.Name(), "--containing", "{"), 2, "--containing")
	failure(t, pgmq("redrive", dead.Name(), q.Name(), "--rate", "-1"), 2, "--rate")
	failure(t, pgmq("redrive", dead.Name(), dead.Name()), 2, "same queue")
	failure(t, pgmq("redrive", dead.Name(), "no such"), 1, "no such queue")
	failure(t, pgmq("redrive", dead.Name()), 2, "FROM TO")

	_, err := q.ArchiveID(t.Context(), 11)
	ok(t, err)
	failure(t, piped(pgmq("queue", "purge", q.Name()), "y\n"), 1, "9 messages", "--yes")
	equal(t, "messages", length(t, q), 9)
	equal(t, "what it says", output(t, pgmq("queue", "purge", q.Name(), "--yes")), fmt.Sprintf("deleted 9 messages from queue %q\n", q.Name()))
	equal(t, "what it says", output(t, pgmq("queue", "purge", q.Name(), "--yes", "--json")), "{\"deleted\":0}\n")
	equal(t, "in the archive", len(archivedIDs(t, q)), 1)
}
