package cli

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
	"github.com/pgmq-go/pgmq/tests/internal/check"
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
		check.OK(t, json.Unmarshal([]byte(line), &r))
		all = append(all, r)
	}
	return all
}

func TestCommandPeeksReadsAndPops(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	for _, verb := range []string{"peek", "read", "pop"} {
		check.Failure(t, pgmq(verb, q.Name()), 3, q.Name(), "no message")
		check.Failure(t, pgmq(verb, q.Name(), "-n", "0"), 2, "-n")
		check.Failure(t, pgmq(verb), 2, "QUEUE")
	}
	check.Failure(t, pgmq("read", q.Name(), "--vt", "0s"), 2, "--vt")
	check.Failure(t, pgmq("read", q.Name(), "--wait", "-1s"), 2, "--wait")

	many := make([]raw, 250) // more than are in memory at once
	for i := range many {
		many[i] = raw(fmt.Sprintf(`{"n":%d}`, i+1))
	}
	check.SendBatch(t, q, many, queue.Headers{"trace": "abc"})
	check.Read(t, q, 1, queue.VT(time.Hour))

	seen := records(t, check.Output(t, pgmq("peek", q.Name())))
	check.Equal(t, "messages that peek shows", len(seen), 10)
	check.Equal(t, "the reads of the first", seen[0].Reads, 1)
	check.Equal(t, "its body", string(seen[0].Message), `{"n":1}`)
	check.Equal(t, "its headers", string(seen[0].Headers), `{"trace":"abc"}`)
	check.Equal(t, "all that peek shows", len(records(t, check.Output(t, pgmq("peek", q.Name(), "-n", "1000")))), 250)
	check.Equal(t, "the first from 200 on", records(t, check.Output(t, pgmq("peek", q.Name(), "-n", "1", "--from", "200")))[0].ID, 200)

	stdout, stderr, code := ended(t, pgmq("read", q.Name(), "-n", "120", "--vt", "1h"))
	check.Equal(t, "the exit code", code, 0)
	check.Equal(t, "what it says", stderr, fmt.Sprintf("read 120 messages of queue %q, hidden for 1h0m0s\n", q.Name()))
	seen = records(t, stdout)
	check.Equal(t, "messages that were read", len(seen), 120)
	check.Equal(t, "the last of them", seen[119].ID, 121)
	if lease := time.Until(seen[0].VisibleAt); lease < 50*time.Minute {
		t.Errorf("it is hidden for %v", lease)
	}

	stdout, stderr, code = ended(t, pgmq("pop", q.Name(), "-n", "1000"))
	check.Equal(t, "the exit code", code, 0)
	check.Equal(t, "what it says", stderr, fmt.Sprintf("popped 129 messages from queue %q\n", q.Name()))
	check.Equal(t, "messages that were popped", len(records(t, stdout)), 129)
	check.Equal(t, "messages left", check.Length(t, q), 121)
}

func TestCommandReadWaitsForAMessageAndCanBeInterrupted(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	waiting := pgmq("read", q.Name(), "--wait", "1h")
	out, err := waiting.StdoutPipe()
	check.OK(t, err)
	check.OK(t, waiting.Start())
	check.Send(t, q, raw(`1`))
	line, err := bufio.NewReader(out).ReadString('\n')
	check.OK(t, err)
	check.Equal(t, "the body", string(records(t, line)[0].Message), "1")
	check.OK(t, waiting.Wait())

	q = pgtest.Queue[raw](t) // the server may still show the first one's session
	waiting = pgmq("read", q.Name(), "--wait", "1h")
	complaints, err := waiting.StderrPipe()
	check.OK(t, err)
	check.OK(t, waiting.Start())
	check.Eventually(t, "it has asked", func() bool {
		return check.Value[bool](t, pgtest.Pool(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%q_' || $1 || '%' AND query LIKE '%name: Read %' AND pid <> pg_backend_pid())`, q.Name())
	})
	check.OK(t, waiting.Process.Signal(os.Interrupt))
	line, err = bufio.NewReader(complaints).ReadString('\n')
	check.OK(t, err)
	check.Equal(t, "what it says", line, "pgmq: interrupted\n")
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, waiting.Wait()).ExitCode(), 130)
}

func TestCommandSettlesByID(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	for range 9 {
		check.Send(t, q, raw(`{"a": 1}`))
	}
	check.Equal(t, "what it says", check.Output(t, pgmq("delete", q.Name(), "1", "2", "2")), fmt.Sprintf("deleted 2 messages from queue %q\n", q.Name()))
	check.Equal(t, "what it says", check.Output(t, pgmq("archive", q.Name(), "3")), fmt.Sprintf("archived 1 message of queue %q\n", q.Name()))
	check.Equal(t, "what it says", check.Output(t, pgmq("set-vt", q.Name(), "1h", "4")), fmt.Sprintf("hid 1 message of queue %q for 1h0m0s from now on\n", q.Name()))
	check.Equal(t, "the first visible one", records(t, check.Output(t, pgmq("read", q.Name())))[0].ID, 5)
	check.Equal(t, "what it says", check.Output(t, pgmq("set-vt", q.Name(), "0s", "4", "5")), fmt.Sprintf("made 2 messages of queue %q visible\n", q.Name()))
	check.Equal(t, "the first visible one", records(t, check.Output(t, pgmq("read", q.Name())))[0].ID, 4)

	stdout, stderr, code := ended(t, pgmq("delete", q.Name(), "4", "1", "--json"))
	check.Equal(t, "the exit code", code, 3)
	check.Equal(t, "ids", stdout, "{\"msg_id\":4}\n")
	check.Contains(t, stderr, fmt.Sprintf("message 1 is not in queue %q\n", q.Name()), "pgmq: 1 message not there\n")

	// Ids in lines, also as others write them.
	written := check.Output(t, pgmq("peek", q.Name(), "--from", "6", "-n", "2"))
	stdout, stderr, code = ended(t, piped(pgmq("archive", q.Name(), "-"), "5\n\nfive\n{\"msg_id\": \"5x\"}\n[]\n"+written))
	check.Equal(t, "the exit code", code, 3)
	check.Equal(t, "what it says", stdout, fmt.Sprintf("archived 3 messages of queue %q\n", q.Name()))
	for _, number := range []int{3, 4, 5} {
		check.Contains(t, stderr, fmt.Sprintf("line %d was left out: not the id", number))
	}
	check.Contains(t, stderr, "pgmq: 3 lines left out\n")
	check.Equal(t, "messages left", check.Length(t, q), 2)
	check.Equal(t, "what it says of no line", check.Output(t, piped(pgmq("delete", q.Name()), "")), fmt.Sprintf("deleted 0 messages from queue %q\n", q.Name()))

	check.Failure(t, pgmq("delete", q.Name(), "four"), 2, `"four"`, "id")
	check.Failure(t, pgmq("set-vt", q.Name(), "4"), 2, "DURATION")
	check.Failure(t, pgmq("set-vt", q.Name(), "--", "-1s", "4"), 2, "DURATION")
	check.Failure(t, pgmq("set-vt", q.Name()), 2, "DURATION")
}

func TestCommandTakesIDsOfAnyNumber(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) SELECT now(), '1' FROM generate_series(1, 5000)`))
	all := check.Output(t, pgmq("read", q.Name(), "-n", "5000"))
	check.Equal(t, "what it says", check.Output(t, piped(pgmq("delete", q.Name()), all)), fmt.Sprintf("deleted 5,000 messages from queue %q\n", q.Name()))
	check.Equal(t, "messages left", check.Length(t, q), 0)
}
