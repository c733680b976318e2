package docs

import (
	"fmt"
	"io"
	osexec "os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestDemoFailsInOneClearLine(t *testing.T) {
	check.Parallel(t)
	quakes := check.Program(t, "./examples/quakes")
	check.Failure(t, quakes("--database-url=postgres://u:s3cret@[127.0.0.1/x"), 1, "no database URL")
	check.Failure(t, quakes("--input", "no/such/file"), 1, "no/such/file")
}

func TestDemoSettlesEveryEarthquakeOnce(t *testing.T) {
	check.Parallel(t)
	quakes, pool := check.Program(t, "./examples/quakes"), pgtest.Database(t)
	out := check.Output(t, quakes("--database-url", check.DSN(pool)))
	check.Contains(t, strings.Join(strings.Fields(out), " "),
		"sent 1,707", "delivered 1,862", "retried 127", "returned", "dead letters 28", "redriven 28", "deleted 1,707",
		`15 dead letter 1 read no handler for type "explosion"`, `13 max reads 3 reads no handler for type "quarry blast"`,
		"Each of the 1,707 messages was settled exactly once. Both queues are empty.", "Hualian", "quakes by magnitude")
	if strings.ContainsAny(out, "\x1b\r") {
		t.Fatalf("control codes in what is no terminal: %q", out)
	}
	check.Equal(t, "queues left in a given database", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.meta`), 0)
}

// blast is a line that the first handler of the demo refuses.
const blast = `{"id": "x1", "time_ms": 1517428617820, "type": "explo\u001b[31msion"}`

func TestDemoTellsTheSameOfOtherPeoplesLines(t *testing.T) {
	check.Parallel(t)
	quakes, pool := check.Program(t, "./examples/quakes"), pgtest.Database(t)
	carry := func(lines string) string {
		demo := quakes("--input", "-", "--database-url", check.DSN(pool))
		demo.Stdin = strings.NewReader(lines)
		return strings.Join(strings.Fields(check.Output(t, demo)), " ")
	}
	numbers := carry(strings.Repeat("1\n", 1000))
	check.Contains(t, numbers, "sent 1,000", "delivered 1,061", "retried 61", "dead letters 0", "deleted 1,000", "Each of the 1,000 messages")
	if strings.Contains(numbers, "say why") || strings.Contains(numbers, "magnitude") {
		t.Fatalf("numbers are no quakes:\n%s", numbers)
	}
	quake := carry(strings.Repeat("1\n", 1000) + blast)
	check.Contains(t, quake, "dead letters 1", "redriven 1", "deleted 1,001", "Each of the 1,001 messages", "explo\\x1b[31msion")
	check.Equal(t, "escapes of somebody else", strings.Count(quake, "\x1b"), 0)
}

func TestDemoReportsLinesThatAreNotJSON(t *testing.T) {
	check.Long(t)
	quakes, pool := check.Program(t, "./examples/quakes"), pgtest.Database(t)
	lines := []string{`{"a":1}`, `not json s3cret`, ``, `"\u0000"`, `1e400000`, `null`, `[1,2`, `"` + strings.Repeat("x", 17<<20) + `"`, `"last"`}
	demo := quakes("--input", "-", "--database-url", check.DSN(pool))
	demo.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	var stdout, stderr strings.Builder
	demo.Stdout, demo.Stderr = &stdout, &stderr
	check.OK(t, demo.Run())
	check.Contains(t, stdout.String(), "Each of the 3 messages was settled exactly once.", "left out")
	for _, number := range []int{2, 4, 5, 7, 8} {
		check.Contains(t, stderr.String(), fmt.Sprintf("line %d was left out: ", number))
	}
	check.Equal(t, "lines of complaint", strings.Count(stderr.String(), "\n"), 5)
	if strings.Contains(stderr.String(), "s3cret") {
		t.Fatal("a payload is shown")
	}
}

func TestDemoLeavesNothingBehindWhenInterrupted(t *testing.T) {
	check.Parallel(t)
	quakes, pool := check.Program(t, "./examples/quakes"), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	demo := quakes("--input", "-", "--database-url", check.DSN(pool))
	stdin, err := demo.StdinPipe() // which never ends
	check.OK(t, err)
	defer stdin.Close()
	check.OK(t, demo.Start())
	exited := sync.OnceValue(demo.Wait)
	defer exited()
	check.Eventually(t, "the demo has its queues", func() bool { return len(check.QueueNames(t, pool)) == 2 })
	_, err = io.WriteString(stdin, strings.Repeat(blast+"\n", 100))
	check.OK(t, err)
	dead := check.QueueNames(t, pool)[1]
	check.Eventually(t, "there are dead letters", func() bool {
		stats, err := admin.Stats(t.Context(), pool, dead)
		check.OK(t, err)
		return stats.Length == 100
	})

	check.OK(t, demo.Process.Signal(syscall.SIGINT))
	started := time.Now()
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, exited()).ExitCode(), 130)
	if took := time.Since(started); took > check.Patience {
		t.Fatalf("it took %v to stop", took)
	}
	check.Equal(t, "queues left", len(check.QueueNames(t, pool)), 0)
}
