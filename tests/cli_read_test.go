package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// record is a line that a command wrote.
type record struct {
	ID         int64           `json:"msg_id"`
	Reads      int             `json:"read_ct"`
	EnqueuedAt time.Time       `json:"enqueued_at"`
	ArchivedAt time.Time       `json:"archived_at"`
	VisibleAt  time.Time       `json:"vt"`
	Message    json.RawMessage `json:"message"`
	Headers    json.RawMessage `json:"headers"`
}

// records are the lines of an output.
func records(t testing.TB, out string) []record {
	t.Helper()
	var all []record
	for line := range strings.Lines(out) {
		var r record
		ok(t, json.Unmarshal([]byte(line), &r))
		all = append(all, r)
	}
	return all
}

func TestCommandPeeksReadsAndPops(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	for _, verb := range []string{"peek", "read", "pop"} {
		failure(t, pgmq(verb, q.Name()), 3, q.Name(), "no message")
		failure(t, pgmq(verb, q.Name(), "-n", "0"), 2, "-n")
		failure(t, pgmq(verb), 2, "QUEUE")
	}
	failure(t, pgmq("read", q.Name(), "--vt", "0s"), 2, "--vt")
	failure(t, pgmq("read", q.Name(), "--wait", "-1s"), 2, "--wait")

	many := make([]raw, 250) // more than are in memory at once
	for i := range many {
		many[i] = raw(fmt.Sprintf(`{"n":%d}`, i+1))
	}
	sendBatch(t, q, many, queue.Headers{"trace": "abc"})
	read(t, q, 1, queue.VT(time.Hour))

	seen := records(t, output(t, pgmq("peek", q.Name())))
	equal(t, "messages that peek shows", len(seen), 10)
	equal(t, "the reads of the first", seen[0].Reads, 1)
	equal(t, "its body", string(seen[0].Message), `{"n":1}`)
	equal(t, "its headers", string(seen[0].Headers), `{"trace":"abc"}`)
	equal(t, "all that peek shows", len(records(t, output(t, pgmq("peek", q.Name(), "-n", "1000")))), 250)
	equal(t, "the first from 200 on", records(t, output(t, pgmq("peek", q.Name(), "-n", "1", "--from", "200")))[0].ID, 200)

	stdout, stderr, code := ended(t, pgmq("read", q.Name(), "-n", "120", "--vt", "1h"))
	equal(t, "the exit code", code, 0)
	equal(t, "what it says", stderr, fmt.Sprintf("read 120 messages of queue %q, hidden for 1h0m0s\n", q.Name()))
	seen = records(t, stdout)
	equal(t, "messages that were read", len(seen), 120)
	equal(t, "the last of them", seen[119].ID, 121)
	if lease := time.Until(seen[0].VisibleAt); lease < 50*time.Minute {
		t.Errorf("it is hidden for %v", lease)
	}

	stdout, stderr, code = ended(t, pgmq("pop", q.Name(), "-n", "1000"))
	equal(t, "the exit code", code, 0)
	equal(t, "what it says", stderr, fmt.Sprintf("popped 129 messages from queue %q\n", q.Name()))
	equal(t, "messages that were popped", len(records(t, stdout)), 129)
	equal(t, "messages left", length(t, q), 121)
}

func TestCommandReadWaitsForAMessageAndCanBeInterrupted(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	waiting := pgmq("read", q.Name(), "--wait", "1h")
	out, err := waiting.StdoutPipe()
	ok(t, err)
	ok(t, waiting.Start())
	send(t, q, raw(`1`))
	line, err := bufio.NewReader(out).ReadString('\n')
	ok(t, err)
	equal(t, "the body", string(records(t, line)[0].Message), "1")
	ok(t, waiting.Wait())

	waiting = pgmq("read", q.Name(), "--wait", "1h")
	complaints, err := waiting.StderrPipe()
	ok(t, err)
	ok(t, waiting.Start())
	eventually(t, "it has asked", func() bool {
		return value[bool](t, pgtest.Pool(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%q_' || $1 || '%' AND query LIKE '%name: Read %' AND pid <> pg_backend_pid())`, q.Name())
	})
	ok(t, waiting.Process.Signal(os.Interrupt))
	line, err = bufio.NewReader(complaints).ReadString('\n')
	ok(t, err)
	equal(t, "what it says", line, "pgmq: interrupted\n")
	equal(t, "the exit code", as[*osexec.ExitError](t, waiting.Wait()).ExitCode(), 130)
}

func TestCommandSettlesByID(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	for range 9 {
		send(t, q, raw(`{"a": 1}`))
	}
	equal(t, "what it says", output(t, pgmq("delete", q.Name(), "1", "2", "2")), fmt.Sprintf("deleted 2 messages from queue %q\n", q.Name()))
	equal(t, "what it says", output(t, pgmq("archive", q.Name(), "3")), fmt.Sprintf("archived 1 message of queue %q\n", q.Name()))
	equal(t, "what it says", output(t, pgmq("set-vt", q.Name(), "1h", "4")), fmt.Sprintf("hid 1 message of queue %q for 1h0m0s from now on\n", q.Name()))
	equal(t, "the first visible one", records(t, output(t, pgmq("read", q.Name())))[0].ID, 5)
	equal(t, "what it says", output(t, pgmq("set-vt", q.Name(), "0s", "4", "5")), fmt.Sprintf("made 2 messages of queue %q visible\n", q.Name()))
	equal(t, "the first visible one", records(t, output(t, pgmq("read", q.Name())))[0].ID, 4)

	stdout, stderr, code := ended(t, pgmq("delete", q.Name(), "4", "1", "--json"))
	equal(t, "the exit code", code, 3)
	equal(t, "ids", stdout, "{\"msg_id\":4}\n")
	contains(t, stderr, fmt.Sprintf("message 1 is not in queue %q\n", q.Name()), "pgmq: 1 message not there\n")

	// Ids in lines, also as others write them.
	written := output(t, pgmq("peek", q.Name(), "--from", "6", "-n", "2"))
	stdout, stderr, code = ended(t, piped(pgmq("archive", q.Name(), "-"), "5\n\nfive\n{\"msg_id\": \"5x\"}\n[]\n"+written))
	equal(t, "the exit code", code, 3)
	equal(t, "what it says", stdout, fmt.Sprintf("archived 3 messages of queue %q\n", q.Name()))
	for _, number := range []int{3, 4, 5} {
		contains(t, stderr, fmt.Sprintf("line %d was left out: no id", number))
	}
	contains(t, stderr, "pgmq: 3 lines left out\n")
	equal(t, "messages left", length(t, q), 2)
	equal(t, "what it says of no line", output(t, piped(pgmq("delete", q.Name()), "")), fmt.Sprintf("deleted 0 messages from queue %q\n", q.Name()))

	failure(t, pgmq("delete", q.Name(), "four"), 2, `"four"`, "id")
	failure(t, pgmq("set-vt", q.Name(), "4"), 2, "DURATION")
	failure(t, pgmq("set-vt", q.Name(), "--", "-1s", "4"), 2, "DURATION")
	failure(t, pgmq("set-vt", q.Name()), 2, "DURATION")
}

func TestCommandTakesIDsOfAnyNumber(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) SELECT now(), '1' FROM generate_series(1, 5000)`))
	all := output(t, pgmq("read", q.Name(), "-n", "5000"))
	equal(t, "what it says", output(t, piped(pgmq("delete", q.Name()), all)), fmt.Sprintf("deleted 5,000 messages from queue %q\n", q.Name()))
	equal(t, "messages left", length(t, q), 0)
}
