package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/schema"
)

// command builds cmd/pgmq once for a test and returns it, to be run with no
// database in its environment.
func command(t testing.TB) func(args ...string) *osexec.Cmd {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "pgmq")
	run(t, osexec.CommandContext(t.Context(), "go", "-C", "..", "build", "-o", binary, "./cmd/pgmq"))
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "DATABASE_URL") {
			env = append(env, v)
		}
	}
	return func(args ...string) *osexec.Cmd {
		cmd := osexec.CommandContext(t.Context(), binary, args...)
		cmd.Env = slices.Clip(env) // so that whoever appends to it has a copy
		return cmd
	}
}

// output runs a command that must succeed, and returns its standard output.
func output(t testing.TB, cmd *osexec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args[1:], " "), err, out, stderr.String())
	}
	return string(out)
}

// failure runs a command that must fail with an exit code and one line about it.
func failure(t testing.TB, cmd *osexec.Cmd, code int, words ...string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	exit := as[*osexec.ExitError](t, err)
	equal(t, "the exit code", exit.ExitCode(), code)
	text := string(out)
	if strings.Count(text, "\n") != 1 {
		t.Fatalf("%q is not one line", text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Fatalf("%q does not say %q", text, word)
		}
	}
	if strings.Contains(text, "s3cret") {
		t.Fatalf("%q shows the password", text)
	}
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Fatalf("%q is missing in\n%s", part, text)
		}
	}
}

func TestCommandMigratesAndManagesQueues(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)

	contains(t, output(t, pgmq("migrate", "status", url)), "00001_adopt.sql", "pending")
	contains(t, output(t, pgmq("migrate", "up", url)), "applied 00001_adopt.sql", "schema pgmq is at version")
	contains(t, output(t, pgmq("migrate", "up", url)), "nothing to do")
	if status := output(t, pgmq("migrate", "status", url)); strings.Contains(status, "pending") {
		t.Fatal(status)
	}

	contains(t, output(t, pgmq("queue", "create", "Ünï 1", url)), `"Ünï 1"`)
	contains(t, output(t, pgmq("queue", "create", "fast", "--unlogged", url)), `"fast"`)
	contains(t, output(t, pgmq("queue", "list", url)), "Ünï 1  standard", "fast   unlogged")
	contains(t, output(t, pgmq("queue", "list", "--json", url)), `{"name":"fast","kind":"unlogged","created_at":"20`)
	output(t, pgmq("queue", "create", "red\x1b[31m", url))
	contains(t, output(t, pgmq("queue", "list", url)), `red\u001b[31m`) // the terminal is told nothing
	output(t, pgmq("queue", "drop", "red\x1b[31m", url))

	send(t, open[Order](t, pool, "fast"), Order{})
	failure(t, pgmq("queue", "drop", "fast", url), 1, "1 message", "--yes")
	failure(t, pgmq("migrate", "down", "--all", url), 1, "q_fast", "--drop-messages")
	contains(t, output(t, pgmq("migrate", "up", url)), "applied") // what went before the refusal
	output(t, pgmq("queue", "drop", "fast", "--yes", url))
	output(t, pgmq("queue", "drop", "Ünï 1", url))
	failure(t, pgmq("queue", "drop", "Ünï 1", url), 1, "no such queue")
	failure(t, pgmq("queue", "drop", "Ünï 1", "--yes", url), 1, "no such queue")

	env := pgmq("migrate", "down", "--all") // by DATABASE_URL this time
	env.Env = append(env.Env, "DATABASE_URL="+dsn(pool))
	contains(t, output(t, env), "removed")
	failure(t, pgmq("queue", "create", "x", url), 1, "pgmq migrate up")
	failure(t, pgmq("queue", "list", url), 1, "pgmq migrate up")
}

func TestCommandMaintainsPartitions(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)
	failure(t, pgmq("maintain", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	contains(t, output(t, pgmq("maintain", url)), "nothing to do")
	exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '100')`)
	sendBatch(t, open[Order](t, pool, "parted"), make([]Order, 1000))
	contains(t, output(t, pgmq("maintain", "PARTED", url)), "made q_parted$900, moved 100")
	contains(t, output(t, pgmq("maintain", url)), "nothing to do")
	failure(t, pgmq("maintain", "a", "b", url), 2, "--help")

	// Somebody's own table stands where a partition should.
	sendBatch(t, open[Order](t, pool, "parted"), make([]Order, 1000))
	exec(t, pool, `CREATE TABLE pgmq."q_parted$2000" ()`)
	text, err := pgmq("maintain", url).CombinedOutput()
	if err == nil {
		t.Fatal("no exit code tells of it")
	}
	contains(t, string(text), `relation "q_parted$2000" already exists`, "1 table(s) were left as they are", "made a_parted$2000")
}

func TestCommandExportsWhatGooseApplies(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	contains(t, output(t, pgmq("migrate", "export", dir)), "wrote", schema.VersionTable)
	contains(t, output(t, pgmq("migrate", "export", dir)), "unchanged")
	gooseOn(t, pool, dir, schema.VersionTable)("up")
	contains(t, output(t, pgmq("migrate", "up", "--database-url", dsn(pool))), "nothing to do")

	ok(t, os.WriteFile(filepath.Join(dir, "00001_adopt.sql"), []byte("-- edited"), 0o600))
	failure(t, pgmq("migrate", "export", dir), 1, "00001_adopt.sql", "move it away")
}

func TestCommandFailsInOneClearLine(t *testing.T) {
	t.Parallel()
	pgmq := command(t)
	failure(t, pgmq("migrate", "up"), 1, "no database", "--database-url", "DATABASE_URL")
	failure(t, pgmq("migrate", "up", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "127.0.0.1:1", "refused")
	failure(t, pgmq("demo", "--database-url=postgres://u:s3cret@[127.0.0.1/x"), 1, "no database URL")
	failure(t, pgmq("queue", "list", "--database-url=host=127.0.0.1 port=1 password='s3cret"), 1, "no database URL")
	failure(t, pgmq("demo", "--input", "no/such/file"), 1, "no/such/file")
	failure(t, pgmq("queue", "create", "a;b", "--database-url="+dsn(pgtest.Pool())), 1, "invalid queue name")
	failure(t, pgmq("queue", "create"), 2, "NAME", "--help")
	failure(t, pgmq("nonsense"), 2, "nonsense", "--help")
	failure(t, pgmq("migrate", "sideways"), 2, "sideways", "--help")
	failure(t, pgmq("migrate", "up", "--fast"), 2, "--fast", "--help")
}

func TestDemoSettlesEveryEarthquakeOnce(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	out := output(t, pgmq("demo", "--database-url", dsn(pool)))
	contains(t, strings.Join(strings.Fields(out), " "),
		"sent 1,707", "delivered 1,862", "retried 127", "returned", "dead letters 28", "redriven 28", "deleted 1,707",
		`15 dead letter 1 read no handler for type "explosion"`, `13 max reads 3 reads no handler for type "quarry blast"`,
		"Each of the 1,707 messages was settled exactly once. Both queues are empty.", "Hualian", "quakes by magnitude")
	if strings.ContainsAny(out, "\x1b\r") {
		t.Fatalf("control codes in what is no terminal: %q", out)
	}
	equal(t, "queues left in a given database", value[int](t, pool, `SELECT count(*)::int FROM pgmq.meta`), 0)
}

// blast is a line that the first handler of the demo refuses.
const blast = `{"id": "x1", "time_ms": 1517428617820, "type": "explo\u001b[31msion"}`

func TestDemoTellsTheSameOfOtherPeoplesLines(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	carry := func(lines string) string {
		demo := pgmq("demo", "--input", "-", "--database-url", dsn(pool))
		demo.Stdin = strings.NewReader(lines)
		return strings.Join(strings.Fields(output(t, demo)), " ")
	}
	plain := carry(strings.Repeat("1\n", 1000))
	contains(t, plain, "sent 1,000", "delivered 1,061", "retried 61", "dead letters 0", "deleted 1,000", "Each of the 1,000 messages")
	if strings.Contains(plain, "say why") || strings.Contains(plain, "magnitude") {
		t.Fatalf("numbers are no quakes:\n%s", plain)
	}
	quake := carry(strings.Repeat("1\n", 1000) + blast)
	contains(t, quake, "dead letters 1", "redriven 1", "deleted 1,001", "Each of the 1,001 messages", "explo\\x1b[31msion")
	equal(t, "escapes of somebody else", strings.Count(quake, "\x1b"), 0)
}

func TestDemoReportsLinesThatAreNotJSON(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	lines := []string{`{"a":1}`, `not json s3cret`, ``, `"\u0000"`, `1e400000`, `null`, `[1,2`, `"` + strings.Repeat("x", 17<<20) + `"`, `"last"`}
	demo := pgmq("demo", "--input", "-", "--database-url", dsn(pool))
	demo.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	var stdout, stderr strings.Builder
	demo.Stdout, demo.Stderr = &stdout, &stderr
	ok(t, demo.Run())
	contains(t, stdout.String(), "Each of the 3 messages was settled exactly once.", "left out")
	for _, number := range []int{2, 4, 5, 7, 8} {
		contains(t, stderr.String(), fmt.Sprintf("line %d was left out: ", number))
	}
	equal(t, "lines of complaint", strings.Count(stderr.String(), "\n"), 5)
	if strings.Contains(stderr.String(), "s3cret") {
		t.Fatal("a payload is shown")
	}
}

func TestDemoLeavesNothingBehindWhenInterrupted(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	demo := pgmq("demo", "--input", "-", "--database-url", dsn(pool))
	stdin, err := demo.StdinPipe() // which never ends
	ok(t, err)
	defer stdin.Close()
	ok(t, demo.Start())
	exited := sync.OnceValue(demo.Wait)
	defer exited()
	eventually(t, "the demo has its queues", func() bool { return len(queueNames(t, pool)) == 2 })
	_, err = io.WriteString(stdin, strings.Repeat(blast+"\n", 100))
	ok(t, err)
	dead := queueNames(t, pool)[1]
	eventually(t, "there are dead letters", func() bool {
		stats, err := queue.Stats(t.Context(), pool, dead)
		ok(t, err)
		return stats.Length == 100
	})

	ok(t, demo.Process.Signal(syscall.SIGINT))
	started := time.Now()
	equal(t, "the exit code", as[*osexec.ExitError](t, exited()).ExitCode(), 130)
	if took := time.Since(started); took > patience {
		t.Fatalf("it took %v to stop", took)
	}
	equal(t, "queues left", len(queueNames(t, pool)), 0)
}

func queueNames(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	infos, err := queue.List(t.Context(), pool)
	if errors.Is(err, queue.ErrNoSchema) {
		return nil
	}
	ok(t, err)
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}
