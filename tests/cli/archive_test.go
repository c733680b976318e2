package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestCommandListsReplaysAndPrunesAnArchive(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), check.InArchive(t, 250)
	list := func(args ...string) []record {
		t.Helper()
		return records(t, check.Output(t, pgmq(append([]string{"archive", "list", q.Name()}, args...)...)))
	}
	all := list()
	check.Equal(t, "messages", len(all), 250)
	check.Equal(t, "a body", string(all[41].Message), "42")
	check.Equal(t, "archived at", all[41].ArchivedAt.Equal(check.Hourly(42)), true)
	check.Equal(t, "the third from 100 on", list("--from", "100", "-n", "3")[2].ID, 102)
	in := list("--since", "2020-01-01T10:00:00Z", "--until", "2020-01-01T12:00:00Z")
	check.Equal(t, "messages in two hours", len(in), 2)
	check.Equal(t, "the first of them", in[0].ID, 10)
	check.Equal(t, "messages of more than 3 days ago", len(list("--until", "3d")), 250)
	check.Failure(t, pgmq("archive", "list", q.Name(), "--since", "72h"), 3, "no such message")
	check.Failure(t, pgmq("archive", "list", q.Name(), "--since", "yesterday"), 2, "--since", "12h")
	check.Failure(t, pgmq("archive", "list", q.Name(), "--since", "-1h"), 2, "--since")

	replay := func(args ...string) string {
		t.Helper()
		return check.Output(t, pgmq(append([]string{"archive", "replay", q.Name()}, args...)...))
	}
	check.Equal(t, "what it says", replay("250", "1", "1"), fmt.Sprintf("replayed 2 messages to queue %q\n", q.Name()))
	stdout, stderr, code := ended(t, pgmq("archive", "replay", q.Name(), "1", "2"))
	check.Equal(t, "the exit code", code, 3)
	check.Equal(t, "what it says", stdout+stderr, fmt.Sprintf("replayed 1 message to queue %q\npgmq: 1 message not there\n", q.Name()))
	check.Equal(t, "what it says", replay("--since", "2020-01-01T10:00:00Z", "--until", "2020-01-01T12:00:00Z", "--json"), "{\"replayed\":2}\n")
	check.Equal(t, "messages", check.Length(t, q), 5)
	check.Failure(t, pgmq("archive", "replay", q.Name()), 2, "--all")
	check.Failure(t, pgmq("archive", "replay", q.Name(), "--all", "3"), 2, "exclude")
	check.Failure(t, pgmq("archive", "replay", q.Name(), "x"), 2, `"x"`)

	check.Failure(t, piped(pgmq("archive", "prune", q.Name(), "--before", "30d"), "y\n"), 1, "--yes")
	check.Failure(t, pgmq("archive", "prune", q.Name()), 2, "--before")
	check.Equal(t, "in the archive", len(check.ArchivedIDs(t, q)), 245)
	check.Equal(t, "what it says", check.Output(t, pgmq("archive", "prune", q.Name(), "--before", "2020-01-11T00:00:00Z", "--yes")), fmt.Sprintf("deleted 235 messages from the archive of queue %q\n", q.Name()))
	check.Equal(t, "what it says", check.Output(t, pgmq("archive", "prune", q.Name(), "--before", "30d", "--yes", "--json")), "{\"deleted\":10}\n")
	check.Equal(t, "what it says", replay("--all"), fmt.Sprintf("replayed 0 messages to queue %q\n", q.Name()))
	check.Equal(t, "messages", check.Length(t, q), 5)
}

// A subcommand has its name; a queue of the same name goes behind a --.
func TestAQueueMayBeCalledLikeACommand(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), check.OwnDatabase(t)
	url := "--database-url=" + check.DSN(pool)
	for _, name := range []string{"list", "replay", "prune"} {
		check.Output(t, pgmq("queue", "create", name, url))
		check.Output(t, pgmq("send", name, "1", url))
		check.Contains(t, check.Output(t, pgmq("archive", url, "--", name, "1")), "archived 1 message of queue", name)
		check.Equal(t, "in the archive", len(records(t, check.Output(t, pgmq("archive", "list", name, url)))), 1)
	}
}

func TestCommandEndsQuietlyWhenNobodyReadsItsOutput(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) SELECT now(), to_jsonb(repeat('x', 100)) FROM generate_series(1, 20000)`))
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {A} (msg_id, vt, message) SELECT msg_id, vt, message FROM {Q}`))
	for _, args := range [][]string{
		{"archive", "list", q.Name()},
		{"peek", q.Name(), "-n", "20000"},
		{"read", q.Name(), "-n", "20000"},
		{"set-vt", q.Name(), "0s", "--json", "-"},
	} {
		cmd := piped(pgmq(args...), strings.Join(strings.Fields(fmt.Sprint(check.Values[int64](t, pgtest.Pool(), `SELECT generate_series(1, 20000)`))), "\n"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		check.OK(t, err)
		check.OK(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		check.OK(t, err)
		check.OK(t, out.Close())
		check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, cmd.Wait()).ExitCode(), 141)
		if args[0] == "set-vt" { // it changes something
			check.Contains(t, stderr.String(), "pgmq: nobody reads the output any more; before that it made ")
			continue
		}
		check.Equal(t, "what it says", stderr.String(), "")
	}

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	check.OK(t, err)
	defer full.Close()
	for _, args := range [][]string{{"archive", "list", q.Name()}, {"send", q.Name(), "1"}} {
		cmd := pgmq(args...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &stderr
		check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, cmd.Run()).ExitCode(), 1)
		check.Contains(t, stderr.String(), "no space left on device")
	}
}

func TestCommandListsAnArchiveInBoundedMemory(t *testing.T) {
	check.Slow(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	const lines = 100_000
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {A} (msg_id, vt, message) SELECT i, now(), to_jsonb(repeat('x', 1000)) FROM generate_series(1, $1) AS i`), lines)
	list := pgmq("archive", "list", q.Name())
	out, err := list.StdoutPipe()
	check.OK(t, err)
	check.OK(t, list.Start())
	in := bufio.NewReader(out)
	for n := range lines {
		if n == lines-1000 { // which no pipe holds, so it still runs
			bounded(t, list)
		}
		_, err := in.ReadSlice('\n')
		check.OK(t, err)
	}
	check.OK(t, list.Wait())
}

func TestReplayThatIsKilledGoesOnWithNothingLostOrDoubled(t *testing.T) {
	check.Long(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	const all = 100_000
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {A} (msg_id, vt, message) SELECT i, now(), to_jsonb(i) FROM generate_series(1, $1) AS i`), all)
	for _, enough := range []int64{1000, 20_000} {
		replay := pgmq("archive", "replay", q.Name(), "--all")
		check.OK(t, replay.Start())
		check.Eventually(t, "some are replayed", func() bool { return reached(t, q, enough) })
		check.OK(t, replay.Process.Kill())
		check.Equal(t, "killed", replay.Wait() != nil, true)
	}
	replay := pgmq("archive", "replay", q.Name(), "--all")
	var stderr bytes.Buffer
	replay.Stderr = &stderr
	before := check.Length(t, q)
	check.OK(t, replay.Start())
	check.Eventually(t, "some more are replayed", func() bool { return reached(t, q, before+2000) })
	check.OK(t, replay.Process.Signal(os.Interrupt))
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, replay.Wait()).ExitCode(), 130)
	check.Contains(t, stderr.String(), "pgmq: interrupted; at least ", "running it again goes on")

	check.Output(t, pgmq("archive", "replay", q.Name(), "--all"))
	check.Equal(t, "messages", check.Length(t, q), all)
	check.Equal(t, "bodies", check.Value[int64](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(DISTINCT message) FROM {Q}`)), all)
	check.Equal(t, "in the archive", len(check.ArchivedIDs(t, q)), 0)
}

func TestCommandRedrivesAndPurges(t *testing.T) {
	check.Parallel(t)
	pgmq := commandHere(t)
	q, dead := check.DeadLetters(t, check.Numbered(10))
	redrive := func(args ...string) string {
		t.Helper()
		return check.Output(t, pgmq(append([]string{"redrive", dead.Name(), q.Name()}, args...)...))
	}
	check.Equal(t, "what it says", redrive("--id", "1,2"), fmt.Sprintf("redrove 2 messages to queue %q\n", q.Name()))
	stdout, stderr, code := ended(t, pgmq("redrive", dead.Name(), q.Name(), "--id", "2", "--id", "3"))
	check.Equal(t, "the exit code", code, 3)
	check.Equal(t, "what it says", stdout+stderr, fmt.Sprintf("redrove 1 message to queue %q\npgmq: 1 message not there\n", q.Name()))
	check.Equal(t, "what it says", redrive("--containing", `{"order_id": 5}`, "--json"), "{\"redriven\":1}\n")
	check.Equal(t, "what it says", redrive("--reason", "dead letter", "--rate", "1000"), fmt.Sprintf("redrove 3 messages to queue %q\n", q.Name()))
	check.Equal(t, "what it says", redrive(), fmt.Sprintf("redrove 3 messages to queue %q\n", q.Name()))
	check.Failure(t, pgmq("redrive", dead.Name(), q.Name(), "--reason", "bad luck"), 2, "bad luck", "max reads")
	check.Failure(t, pgmq("redrive", dead.Name(), q.Name(), "--containing", "{"), 2, "--containing")
	check.Failure(t, pgmq("redrive", dead.Name(), q.Name(), "--rate", "-1"), 2, "--rate")
	check.Failure(t, pgmq("redrive", dead.Name(), dead.Name()), 2, "same queue")
	check.Failure(t, pgmq("redrive", dead.Name(), "no such"), 1, "no such queue")
	check.Failure(t, pgmq("redrive", dead.Name(), q.Name(), "--to", q.Name()), 2, "TO", "--to")
	check.Failure(t, pgmq("redrive"), 2, "FROM [TO]")

	_, err := q.ArchiveID(t.Context(), 11)
	check.OK(t, err)
	check.Failure(t, piped(pgmq("queue", "purge", q.Name()), "y\n"), 1, "9 messages", "--yes")
	check.Equal(t, "messages", check.Length(t, q), 9)
	check.Equal(t, "what it says", check.Output(t, pgmq("queue", "purge", q.Name(), "--yes")), fmt.Sprintf("deleted 9 messages from queue %q\n", q.Name()))
	check.Equal(t, "what it says", check.Output(t, pgmq("queue", "purge", q.Name(), "--yes", "--json")), "{\"deleted\":0}\n")
	check.Equal(t, "in the archive", len(check.ArchivedIDs(t, q)), 1)
}

func TestCommandRedrivesToWhereLettersDied(t *testing.T) {
	t.Parallel()
	pgmq := commandHere(t)
	q, dead := check.DeadLetters(t, check.Numbered(4))
	check.Equal(t, "what it says", check.Output(t, pgmq("redrive", dead.Name(), "--id", "1")), "redrove 1 message to the queues that they died in\n")
	check.Equal(t, "what it says", check.Output(t, pgmq("redrive", dead.Name(), "--to", q.Name(), "--id", "2")), fmt.Sprintf("redrove 1 message to queue %q\n", q.Name()))
	check.Send(t, dead, check.Order{})
	stdout, stderr, code := ended(t, pgmq("redrive", dead.Name(), "--json"))
	check.Equal(t, "the exit code", code, 3)
	check.Equal(t, "what it writes", stdout, "{\"redriven\":2}\n")
	check.Contains(t, stderr, "no queue to go back to", "1 message(s) stay")
	check.Equal(t, "messages", check.Length(t, q), 4)
	check.Equal(t, "dead letters", check.Length(t, dead), 1)
}
