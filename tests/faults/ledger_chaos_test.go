package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// bookkeeperVar makes this binary a process that keeps the ledger of the
// database that it names, until it is killed or its standard input ends.
const bookkeeperVar = "PGMQ_TEST_BOOKKEEPER_URL"

func init() {
	url := os.Getenv(bookkeeperVar)
	if url == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	slog.SetLogLoggerLevel(slog.LevelError)
	pool, err := pgxpool.New(context.Background(), url)
	if err == nil {
		var q *queue.Queue[int64]
		q, err = queue.New[int64](pool, "q")
		if err == nil {
			err = keepLedger(context.Background(), q)
		}
	}
	fmt.Fprintln(os.Stderr, "a consumer process ended by itself:", err)
	os.Exit(1)
}

func keepLedger(ctx context.Context, q *queue.Queue[int64], opts ...queue.ConsumeOption) error {
	return q.ConsumeTx(ctx, clumsy, append(opts, queue.Workers(4), queue.VT(2*time.Second), queue.Backoff(shortly),
		queue.MaxReads(6), queue.DeadLetterTo("dead"))...)
}

// clumsy enters messages into the ledger, and fails one time in four, in every way.
func clumsy(ctx context.Context, tx pgx.Tx, m *queue.Message[int64]) error {
	if err := enter(ctx, tx, m); err != nil {
		return err
	}
	time.Sleep(rand.N(5 * time.Millisecond))
	switch rand.N(7 * 4) {
	case 0:
		return errors.New("it failed")
	case 1:
		panic("it panicked")
	case 2:
		runtime.Goexit()
	case 3:
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return enter(ctx, tx, m)
	case 4: // is found when the transaction commits
		_, err := tx.Exec(ctx, `INSERT INTO ledger (msg_id, promise) VALUES ($1, 1)`, m.ID)
		return err
	case 5:
		misuse(ctx, tx)
		return nil
	case 6:
		return queue.RetryIn(0, tx.Rollback(ctx))
	}
	return nil
}

// bookkeeper is such a process.
func bookkeeper(t testing.TB, url string) (kill func()) {
	t.Helper()
	cmd := osexec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bookkeeperVar+"="+url)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe()
	check.OK(t, err)
	check.OK(t, cmd.Start())
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func TestLedgerAndQueueAgreeAfterAbortsKillsAndARestart(t *testing.T) {
	check.Long(t)
	server, pool := privateServer(t)
	newLedger(t, pool)
	check.OK(t, admin.Create(t.Context(), pool, "dead"))
	q := check.OwnQueue[int64](t, pool, "q")
	const n = 1000
	sent := check.SendBatch(t, q, make([]int64, n))

	var consumers []*check.Consuming
	var processes []func()
	for range 2 {
		own := check.PoolLike(t, pool, func(*pgxpool.Config) {})
		mine := check.Open[int64](t, own, "q")
		consumers = append(consumers, check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
			return keepLedger(ctx, mine, observe)
		}))
		processes = append(processes, bookkeeper(t, server.URL))
	}
	t.Cleanup(func() {
		for _, kill := range processes {
			kill()
		}
	})

	kills, terminations, restarts := 0, 0, 0
	done := func() (part float64) {
		if left := check.Remains(t, pool, "q"); left >= 0 {
			part = 1 - float64(left)/n
		}
		return part
	}
	for part, end := 0.0, time.Now().Add(3*check.Patience); part < 1; part = done() {
		if time.Now().After(end) {
			t.Fatalf("only %.0f %% was done in %v", 100*part, 3*check.Patience)
		}
		if restarts == 0 && part > 0.4 {
			restarts++
			check.OK(t, server.Restart(t.Context(), postgres.Immediate))
		}
		if part < 0.95 && part > 0.2*float64(kills+1) {
			i := kills % len(processes)
			processes[i]()
			processes[i] = bookkeeper(t, server.URL)
			kills++
		}
		if part < 0.95 {
			var one int
			err := pool.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid))::int FROM (
				SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
				ORDER BY random() LIMIT 1) AS victim`).Scan(&one)
			if err == nil {
				terminations += one
			}
		}
		time.Sleep(40 * time.Millisecond)
	}
	check.EndAll(t, consumers...)
	t.Logf("%d backends and %d processes killed, %d restart", terminations, kills, restarts)
	if terminations < 8 || kills < 4 || restarts != 1 {
		t.Error("that was no chaos")
	}

	ledger := check.Values[int64](t, pool, `SELECT msg_id FROM ledger ORDER BY 1`)
	dead := check.Values[int64](t, pool, `SELECT (headers->'x-pgmq-dead-letter'->>'msg_id')::bigint FROM pgmq.q_dead ORDER BY 1`)
	t.Logf("%d rows in the ledger, %d dead letters", len(ledger), len(dead))
	all := append(slices.Clone(ledger), dead...)
	slices.Sort(all)
	slices.Sort(sent)
	if !slices.Equal(all, sent) {
		t.Errorf("ledger and dead letters are %d messages, %d of them different, and not the %d that were sent",
			len(all), len(slices.Compact(all)), n)
	}
	var retried int
	for _, c := range consumers {
		retried += len(c.Of(queue.EventRetried))
	}
	t.Logf("%d deliveries of this process were retried", retried)
}
