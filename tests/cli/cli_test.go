package cli

import (
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestCommandMigratesAndManagesQueues(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)

	check.Contains(t, check.Output(t, pgmq("migrate", "status", url)), "00001_tables.sql", "pending")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "applied 00001_tables.sql", "schema pgmq is at version")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "nothing to do")
	if status := check.Output(t, pgmq("migrate", "status", url)); strings.Contains(status, "pending") {
		t.Fatal(status)
	}

	check.Contains(t, check.Output(t, pgmq("queue", "create", "Ünï 1", url)), `"Ünï 1"`)
	check.Contains(t, check.Output(t, pgmq("queue", "create", "fast", "--unlogged", url)), `"fast"`)
	check.Contains(t, check.Output(t, pgmq("queue", "list", url)), "Ünï 1  standard", "fast   unlogged")
	check.Contains(t, check.Output(t, pgmq("queue", "list", "--json", url)), `{"name":"fast","kind":"unlogged","created_at":"20`)
	check.Output(t, pgmq("queue", "create", "red\x1b[31m", url))
	check.Contains(t, check.Output(t, pgmq("queue", "list", url)), `red\u001b[31m`) // the terminal is told nothing
	check.Output(t, pgmq("queue", "drop", "red\x1b[31m", url))

	check.Send(t, check.Open[check.Order](t, pool, "fast"), check.Order{})
	check.Failure(t, pgmq("queue", "drop", "fast", url), 1, "1 message", "--yes")
	check.Failure(t, pgmq("migrate", "down", "--all", url), 1, "q_fast", "--drop-messages")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "applied") // what went before the refusal
	check.Output(t, pgmq("queue", "drop", "fast", "--yes", url))
	check.Output(t, pgmq("queue", "drop", "Ünï 1", url))
	check.Failure(t, pgmq("queue", "drop", "Ünï 1", url), 1, "no such queue")
	check.Failure(t, pgmq("queue", "drop", "Ünï 1", "--yes", url), 1, "no such queue")

	env := pgmq("migrate", "down", "--all") // by DATABASE_URL this time
	env.Env = append(env.Env, "DATABASE_URL="+check.DSN(pool))
	check.Contains(t, check.Output(t, env), "removed")
	check.Failure(t, pgmq("queue", "create", "x", url), 1, "pgmq migrate up")
	check.Failure(t, pgmq("queue", "list", url), 1, "pgmq migrate up")
}

func TestCommandMaintainsPartitions(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	check.Failure(t, pgmq("maintain", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	check.Contains(t, check.Output(t, pgmq("maintain", url)), "nothing to do")
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '100')`)
	check.SendBatch(t, check.Open[check.Order](t, pool, "parted"), make([]check.Order, 1000))
	check.Contains(t, check.Output(t, pgmq("maintain", "PARTED", url)), "made q_parted$900, moved 100")
	check.Contains(t, check.Output(t, pgmq("maintain", url)), "nothing to do")
	check.Failure(t, pgmq("maintain", "a", "b", url), 2, "--help")

	// Somebody's own table stands where a partition should.
	check.SendBatch(t, check.Open[check.Order](t, pool, "parted"), make([]check.Order, 1000))
	check.Exec(t, pool, `CREATE TABLE pgmq."q_parted$2000" ()`)
	text, err := pgmq("maintain", url).CombinedOutput()
	if err == nil {
		t.Fatal("no exit code tells of it")
	}
	check.Contains(t, string(text), `relation "q_parted$2000" already exists`, "1 table(s) were left as they are", "made a_parted$2000")
}

func TestCommandExportsWhatGooseApplies(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	check.Contains(t, check.Output(t, pgmq("migrate", "export", dir)), "wrote", schema.VersionTable)
	check.Contains(t, check.Output(t, pgmq("migrate", "export", dir)), "unchanged")
	check.GooseOn(t, pool, dir, schema.VersionTable)("up")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", "--database-url", check.DSN(pool))), "nothing to do")

	check.OK(t, os.WriteFile(filepath.Join(dir, "00001_tables.sql"), []byte("-- edited"), 0o600))
	check.Failure(t, pgmq("migrate", "export", dir), 1, "00001_tables.sql", "move it away")
}

func TestCommandFailsInOneClearLine(t *testing.T) {
	check.Parallel(t)
	pgmq := check.Command(t)
	check.Failure(t, pgmq("migrate", "up"), 1, "no database", "--database-url", "DATABASE_URL")
	check.Failure(t, pgmq("migrate", "up", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "127.0.0.1:1", "refused")
	check.Failure(t, pgmq("demo", "--database-url=postgres://u:s3cret@[127.0.0.1/x"), 1, "no database URL")
	check.Failure(t, pgmq("queue", "list", "--database-url=host=127.0.0.1 port=1 password='s3cret"), 1, "no database URL")
	check.Failure(t, pgmq("demo", "--input", "no/such/file"), 1, "no/such/file")
	check.Failure(t, pgmq("queue", "create", "a;b", "--database-url="+check.DSN(pgtest.Pool())), 1, "invalid queue name")
	check.Failure(t, pgmq("queue", "create"), 2, "NAME", "--help")
	check.Failure(t, pgmq("nonsense"), 2, "nonsense", "--help")
	check.Failure(t, pgmq("migrate", "sideways"), 2, "sideways", "--help")
	check.Failure(t, pgmq("migrate", "up", "--fast"), 2, "--fast", "--help")
}

func TestDemoSettlesEveryEarthquakeOnce(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	out := check.Output(t, pgmq("demo", "--database-url", check.DSN(pool)))
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
	pgmq, pool := check.Command(t), pgtest.Database(t)
	carry := func(lines string) string {
		demo := pgmq("demo", "--input", "-", "--database-url", check.DSN(pool))
		demo.Stdin = strings.NewReader(lines)
		return strings.Join(strings.Fields(check.Output(t, demo)), " ")
	}
	plain := carry(strings.Repeat("1\n", 1000))
	check.Contains(t, plain, "sent 1,000", "delivered 1,061", "retried 61", "dead letters 0", "deleted 1,000", "Each of the 1,000 messages")
	if strings.Contains(plain, "say why") || strings.Contains(plain, "magnitude") {
		t.Fatalf("numbers are no quakes:\n%s", plain)
	}
	quake := carry(strings.Repeat("1\n", 1000) + blast)
	check.Contains(t, quake, "dead letters 1", "redriven 1", "deleted 1,001", "Each of the 1,001 messages", "explo\\x1b[31msion")
	check.Equal(t, "escapes of somebody else", strings.Count(quake, "\x1b"), 0)
}

func TestDemoReportsLinesThatAreNotJSON(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	lines := []string{`{"a":1}`, `not json s3cret`, ``, `"\u0000"`, `1e400000`, `null`, `[1,2`, `"` + strings.Repeat("x", 17<<20) + `"`, `"last"`}
	demo := pgmq("demo", "--input", "-", "--database-url", check.DSN(pool))
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
	pgmq, pool := check.Command(t), check.OwnDatabase(t)
	demo := pgmq("demo", "--input", "-", "--database-url", check.DSN(pool))
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
		stats, err := queue.Stats(t.Context(), pool, dead)
		check.OK(t, err)
		return stats.Length == 100
	})

	check.OK(t, demo.Process.Signal(syscall.SIGINT))
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, exited()).ExitCode(), 130)
	check.Equal(t, "queues left", len(check.QueueNames(t, pool)), 0)
}
