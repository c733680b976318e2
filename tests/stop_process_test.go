package tests

import (
	"syscall"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// loaded starts a process whose 16 handlers are at work for a second each, and
// that has fetched ahead all that is left, which it returns.
func loaded(t *testing.T, q *queue.Queue[task], spec workerSpec) (a *process, ahead []int64) {
	t.Helper()
	const short, long = 4000, 60
	tasks := make([]task, short+long)
	for i := range tasks[short:] {
		tasks[short+i].Takes = time.Second
	}
	sent := sendBatch(t, q, tasks)[short:]
	spec.Workers = 16
	a = worker(t, spec)
	eventually(t, "16 long handlers run", func() bool { return len(a.of(startLine, sent...)) >= 16 })
	stats, err := queue.Stats(t.Context(), pgtest.Pool(), q.Name())
	ok(t, err)
	equal(t, "messages that it did not fetch", stats.Visible, 0)
	return a, sent
}

func TestSIGTERMLetsHandlersFinishAndGivesTheRestBackAtOnce(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[task](t)
	spec := workerSpec{Queues: []string{q.Name()}, VT: time.Minute, Grace: 10 * time.Second}
	b := worker(t, spec) // it is started early, and held until the other has all
	b.signal(syscall.SIGSTOP)
	a, sent := loaded(t, q, spec)
	b.signal(syscall.SIGCONT)
	b.idle(q.Name())
	equal(t, "deliveries to the second process", len(b.of(startLine)), 0)

	stop := time.Now()
	a.signal(syscall.SIGTERM)
	equal(t, "the exit code", a.exit(), 0)
	took := time.Since(stop)
	if took > 5*time.Second {
		t.Errorf("the process took %v to end", took)
	}
	returned := a.of(string(queue.Returned))
	if len(returned) == 0 {
		t.Fatal("nothing was given back")
	}
	for _, l := range returned {
		equal(t, "reads of what was given back", l.Reads, 0)
		again := b.first(startLine, l.ID)
		equal(t, "reads", again.Reads, 1)
	}
	first := b.of(startLine)[0].At.Sub(stop)
	t.Logf("%d were given back, the first was with the next process after %v; the process ended after %v", len(returned), first, took)
	if first > 500*time.Millisecond {
		t.Errorf("the next process got its first message after %v", first)
	}
	for _, id := range sent {
		settledOnce(t, id, a, b)
		equal(t, "deliveries", len(a.of(startLine, id))+len(b.of(startLine, id)), 1)
	}
	equal(t, "messages", length(t, q), 0)
}

func TestWhenGraceIsOverHandlersAreInterruptedAndTheirMessagesComeBackAtOnce(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[task](t)
	id := send(t, q, task{Takes: time.Minute})
	spec := workerSpec{Queues: []string{q.Name()}, VT: time.Minute, Grace: 2 * time.Second}
	a := worker(t, spec)
	a.first(startLine, id)
	stop := time.Now()
	a.signal(syscall.SIGTERM)
	equal(t, "the exit code", a.exit(), 0)
	if took := time.Since(stop); took < 1500*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("the process took %v to end", took)
	}
	equal(t, "the cause of the end of the handler's context", a.first(endLine, id).Cause, stoppedCause)
	m := readOne(t, q)
	equal(t, "reads", m.Reads, 2)
}

func TestHandlersThatIgnoreTheirContextDoNotKeepConsume(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[task](t)
	id := send(t, q, task{Takes: time.Minute, Stubborn: true})
	const vt, grace = 3 * time.Second, time.Second
	a := worker(t, workerSpec{Queues: []string{q.Name()}, VT: vt, Grace: grace})
	a.first(startLine, id)
	stop := time.Now()
	a.signal(syscall.SIGTERM)
	equal(t, "the exit code", a.exit(), exitStopped)
	if took := time.Since(stop); took < grace-100*time.Millisecond || took > grace+time.Second {
		t.Errorf("the process took %v to end", took)
	}
	msgs := read(t, q, 1, queue.Wait(2*vt))
	equal(t, "messages that came back", len(msgs), 1)
	if back := time.Since(stop); back < grace || back > grace+vt+time.Second {
		t.Errorf("it came back after %v", back)
	}
}
