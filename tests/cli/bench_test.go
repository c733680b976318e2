package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestBenchMeasuresAndLeavesNothingBehind(t *testing.T) {
	check.Long(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	check.Failure(t, pgmq("bench", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	check.Failure(t, settings(pgmq("bench", url), "default_transaction_read_only=on"), 1, "may only read")
	check.Failure(t, pgmq("bench", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "refused")
	for _, wrong := range []string{"--duration=0s", "--producers=0", "--consumers=0", "--batch=10001", "--size=5", "--size=100000000"} {
		flag, _, _ := strings.Cut(wrong, "=")
		check.Failure(t, pgmq("bench", wrong, url), 2, flag)
	}
	check.Failure(t, pgmq("bench", "--producers=100", "--batch=100", "--size=100000", url), 2, "256 MiB")

	for _, batch := range []string{"1", "20"} {
		var r map[string]any
		measured := func(d time.Duration) bool {
			check.OK(t, json.Unmarshal([]byte(check.Output(t, pgmq("bench", "--duration", d.String(), "--batch", batch, "--json", url))), &r))
			return !slices.ContainsFunc([]string{
				"messages", "sent_per_sec", "settled_per_sec", "latency_p50_ms", "latency_p99_ms",
				"ping_p50_ms", "ping_p99_ms", "commits_per_sec", "duration_sec",
			}, func(key string) bool { return r[key].(float64) <= 0 })
		}
		for d := 500 * time.Millisecond; !measured(d); d *= 2 { // on a machine that is busy it takes longer
			if d > time.Minute {
				t.Fatalf("in %v it measured %v", d, r)
			}
		}
		check.Contains(t, r["queue_name"].(string), "pgmq_bench_")
		check.Equal(t, "fsync", r["fsync"].(string), check.Value[string](t, pool, `SHOW fsync`))
	}
	text := check.Output(t, pgmq("bench", "--duration", "200ms", "--size", "28", url))
	narrow(t, text)
	check.Contains(t, text, "server      PostgreSQL ", "synchronous_commit ", "8 producers with Send, 8 consumers, 28 bytes each, for 200ms\n", "each of them settled\n")
	cmd := pgmq("bench", "--duration", "300ms")
	cmd.Env = append(cmd.Env, "DATABASE_URL="+check.DSN(pool))
	check.Contains(t, onTerminal(t, cmd, "", "NO_COLOR=1"), "settled ", "messages    ")
	check.Equal(t, "queues left", len(check.QueueNames(t, pool)), 0)
}

func TestBenchLeavesNothingBehindWhenInterrupted(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), check.OwnDatabase(t)
	bench := pgmq("bench", "--duration", "1h", "--database-url="+check.DSN(pool))
	var stderr bytes.Buffer
	bench.Stderr = &stderr
	check.OK(t, bench.Start())
	check.Eventually(t, "messages were sent", func() bool {
		names := check.QueueNames(t, pool)
		return len(names) == 1 && check.Value[bool](t, pool, `SELECT total_messages > 20000 FROM pgmq.metrics($1)`, names[0])
	})
	bounded(t, bench)
	check.OK(t, bench.Process.Signal(os.Interrupt))
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, bench.Wait()).ExitCode(), 130)
	check.Equal(t, "what it says", stderr.String(), "pgmq: interrupted\n")
	check.Equal(t, "queues left", len(check.QueueNames(t, pool)), 0)
}

func TestBenchTouchesNoMessageOfAnybodyElse(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[int](t)
	check.Send(t, q, 1)
	check.Failure(t, pgmq("bench", "--queue", q.Name()), 1, "holds 1 message", "empty")
	check.Equal(t, "messages", check.Length(t, q), 1)
	_, err := q.DeleteID(t.Context(), 1)
	check.OK(t, err)
	check.Output(t, pgmq("bench", "--queue", q.Name(), "--duration", "200ms"))
	check.Equal(t, "messages of a queue that stays", check.Length(t, q), 0)

	bench := pgmq("bench", "--queue", q.Name(), "--duration", "1h")
	var stderr bytes.Buffer
	bench.Stderr = &stderr
	check.OK(t, bench.Start())
	before := check.Value[int64](t, pgtest.Pool(), `SELECT total_messages FROM pgmq.metrics($1)`, q.Name())
	check.Eventually(t, "it sends", func() bool {
		return check.Value[int64](t, pgtest.Pool(), `SELECT total_messages FROM pgmq.metrics($1)`, q.Name()) > before+1000
	})
	id := check.Send(t, q, 42)
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, bench.Wait()).ExitCode(), 1)
	check.Contains(t, stderr.String(), "is not of this bench, and stays")
	check.Equal(t, "lines about it", strings.Count(stderr.String(), "\n"), 1)
	check.EqualAll(t, "what is left", check.Values[int64](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT msg_id FROM {Q}`)), []int64{id})
	check.Equal(t, "in the archive", len(check.ArchivedIDs(t, q)), 0)
}

func TestBenchHoldsProducersBack(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	// Nobody settles while the test has this lock.
	check.Exec(t, pgtest.Pool(), `CREATE FUNCTION `+q.Name()+`_waits() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_advisory_xact_lock_shared(hashtext(TG_TABLE_NAME)); RETURN NULL; END $$`)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `CREATE TRIGGER waits AFTER DELETE ON {Q} FOR EACH STATEMENT EXECUTE FUNCTION `+q.Name()+`_waits()`))
	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	check.Exec(t, tx, `SELECT pg_advisory_xact_lock(hashtext('q_' || $1))`, q.Name())

	bench := pgmq("bench", "--queue", q.Name(), "--duration", "1h", "--size", "1048576")
	check.OK(t, bench.Start())
	const most = 64 // MiB
	check.Eventually(t, "the queue is full", func() bool { return check.Length(t, q) == most })
	time.Sleep(300 * time.Millisecond) // in which it would send on
	check.Equal(t, "messages in the full queue", check.Length(t, q), most)
	check.OK(t, tx.Rollback(t.Context()))
	check.OK(t, bench.Process.Signal(os.Interrupt))
	check.Equal(t, "the exit code", check.As[*osexec.ExitError](t, bench.Wait()).ExitCode(), 130)
	check.Equal(t, "messages left", check.Length(t, q), 0)
}
