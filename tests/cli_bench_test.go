package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

func TestBenchMeasuresAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)
	failure(t, pgmq("bench", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	failure(t, settings(pgmq("bench", url), "default_transaction_read_only=on"), 1, "may only read")
	failure(t, pgmq("bench", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
	for _, wrong := range []string{"--duration=0s", "--producers=0", "--consumers=0", "--batch=10001", "--size=5", "--size=100000000"} {
		flag, _, _ := strings.Cut(wrong, "=")
		failure(t, pgmq("bench", wrong, url), 2, flag)
	}
	failure(t, pgmq("bench", "--producers=100", "--batch=100", "--size=100000", url), 2, "256 MiB")

	for _, batch := range []string{"1", "20"} {
		var r map[string]any
		ok(t, json.Unmarshal([]byte(output(t, pgmq("bench", "--duration", "500ms", "--batch", batch, "--json", url))), &r))
		for _, key := range []string{
			"messages", "sent_per_sec", "settled_per_sec", "latency_p50_ms", "latency_p99_ms",
			"ping_p50_ms", "ping_p99_ms", "commits_per_sec", "duration_sec",
		} {
			if n, _ := r[key].(float64); n <= 0 {
				t.Errorf("%s is %v", key, r[key])
			}
		}
		contains(t, r["queue_name"].(string), "pgmq_bench_")
		equal(t, "fsync", r["fsync"].(string), value[string](t, pool, `SHOW fsync`))
	}
	text := output(t, pgmq("bench", "--duration", "200ms", "--size", "28", url))
	narrow(t, text)
	contains(t, text, "server      PostgreSQL ", "synchronous_commit ", "8 producers with Send, 8 consumers, 28 bytes each, for 200ms\n", "each of them settled\n")
	cmd := pgmq("bench", "--duration", "300ms")
	cmd.Env = append(cmd.Env, "DATABASE_URL="+dsn(pool))
	contains(t, onTerminal(t, cmd, "", "NO_COLOR=1"), "settled ", "messages    ")
	equal(t, "queues left", len(queueNames(t, pool)), 0)
}

func TestBenchLeavesNothingBehindWhenInterrupted(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	bench := pgmq("bench", "--duration", "1h", "--database-url="+dsn(pool))
	var stderr bytes.Buffer
	bench.Stderr = &stderr
	ok(t, bench.Start())
	eventually(t, "messages were sent", func() bool {
		names := queueNames(t, pool)
		return len(names) == 1 && value[bool](t, pool, `SELECT total_messages > 20000 FROM pgmq.metrics($1)`, names[0])
	})
	bounded(t, bench)
	ok(t, bench.Process.Signal(os.Interrupt))
	equal(t, "the exit code", as[*osexec.ExitError](t, bench.Wait()).ExitCode(), 130)
	equal(t, "what it says", stderr.String(), "pgmq: interrupted\n")
	equal(t, "queues left", len(queueNames(t, pool)), 0)
}

func TestBenchTouchesNoMessageOfAnybodyElse(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[int](t)
	send(t, q, 1)
	failure(t, pgmq("bench", "--queue", q.Name()), 1, "holds 1 message", "empty")
	equal(t, "messages", length(t, q), 1)
	_, err := q.DeleteID(t.Context(), 1)
	ok(t, err)
	output(t, pgmq("bench", "--queue", q.Name(), "--duration", "200ms"))
	equal(t, "messages of a queue that stays", length(t, q), 0)

	bench := pgmq("bench", "--queue", q.Name(), "--duration", "1h")
	var stderr bytes.Buffer
	bench.Stderr = &stderr
	ok(t, bench.Start())
	before := value[int64](t, pgtest.Pool(), `SELECT total_messages FROM pgmq.metrics($1)`, q.Name())
	eventually(t, "it sends", func() bool {
		return value[int64](t, pgtest.Pool(), `SELECT total_messages FROM pgmq.metrics($1)`, q.Name()) > before+1000
	})
	id := send(t, q, 42)
	equal(t, "the exit code", as[*osexec.ExitError](t, bench.Wait()).ExitCode(), 1)
	contains(t, stderr.String(), "is somebody else's, and stays")
	equal(t, "lines about it", strings.Count(stderr.String(), "\n"), 1)
	equalAll(t, "what is left", values[int64](t, pgtest.Pool(), tables(q.Name(), `SELECT msg_id FROM {Q}`)), []int64{id})
	equal(t, "in the archive", len(archivedIDs(t, q)), 0)
}

func TestBenchHoldsProducersBack(t *testing.T) {
	t.Parallel()
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	// Nobody settles while the test has this lock.
	exec(t, pgtest.Pool(), `CREATE FUNCTION `+q.Name()+`_waits() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_advisory_xact_lock_shared(hashtext(TG_TABLE_NAME)); RETURN NULL; END $$`)
	exec(t, pgtest.Pool(), tables(q.Name(), `CREATE TRIGGER waits AFTER DELETE ON {Q} FOR EACH STATEMENT EXECUTE FUNCTION `+q.Name()+`_waits()`))
	tx, err := pgtest.Pool().Begin(t.Context())
	ok(t, err)
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	exec(t, tx, `SELECT pg_advisory_xact_lock(hashtext('q_' || $1))`, q.Name())

	bench := pgmq("bench", "--queue", q.Name(), "--duration", "1h", "--size", "1048576")
	ok(t, bench.Start())
	const most = 64 // MiB
	eventually(t, "the queue is full", func() bool { return length(t, q) == most })
	time.Sleep(300 * time.Millisecond)
	equal(t, "messages in the full queue", length(t, q), most)
	ok(t, tx.Rollback(t.Context()))
	ok(t, bench.Process.Signal(os.Interrupt))
	equal(t, "the exit code", as[*osexec.ExitError](t, bench.Wait()).ExitCode(), 130)
	equal(t, "messages left", length(t, q), 0)
}
