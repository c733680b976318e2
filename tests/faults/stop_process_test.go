package faults

import (
	"syscall"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/internal/worker"
)

// loaded starts a process whose 16 handlers are at work until it is freed, and that
// has fetched more messages. It returns all that take long.
func loaded(t *testing.T, q *queue.Queue[worker.Task], spec worker.Spec) (a *worker.Process, long []int64) {
	t.Helper()
	const short = 4000
	tasks := make([]worker.Task, short+60)
	for i := range tasks[short:] {
		tasks[short+i].Takes = time.Hour
	}
	sent := check.SendBatch(t, q, tasks)[short:]
	spec.Workers = 16
	a = worker.Start(t, spec)
	check.Eventually(t, "16 long handlers run", func() bool { return len(a.Of(worker.StartLine, sent...)) >= 16 })
	check.Eventually(t, "it has fetched more", func() bool {
		return check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(*)::int FROM {Q} WHERE vt > now()`)) > 16
	})
	return a, sent
}

func TestSIGTERMLetsHandlersFinishAndGivesTheRestBackAtOnce(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[worker.Task](t)
	spec := worker.Spec{Queues: []string{q.Name()}, VT: time.Hour, Grace: check.Patience}
	b := worker.Start(t, spec) // it is started early, and held until the other has as many messages as it can
	b.Idle(q.Name())
	b.Signal(syscall.SIGSTOP)
	a, sent := loaded(t, q, spec)
	b.Free()
	b.Signal(syscall.SIGCONT)
	check.Eventually(t, "the second process takes all others", func() bool {
		stats, err := admin.Stats(t.Context(), pgtest.Pool(), q.Name())
		check.OK(t, err)
		return stats.Visible == 0
	})

	a.Signal(syscall.SIGTERM)
	check.Eventually(t, "the second process does what no handler of the first has", func() bool {
		return len(b.Of(string(queue.EventSettled), sent...)) == len(sent)-16
	})
	returned := a.Of(string(queue.EventReturned))
	if len(returned) == 0 {
		t.Error("nothing was given back")
	}
	for _, l := range returned {
		check.Equal(t, "reads of what was given back", l.Reads, 0)
		again := b.First(worker.StartLine, l.ID)
		check.Equal(t, "reads", again.Reads, 1)
	}
	a.Free()
	check.Equal(t, "the exit code", a.Exit(), 0)
	for _, id := range sent {
		worker.SettledOnce(t, id, a, b)
		check.Equal(t, "deliveries", len(a.Of(worker.StartLine, id))+len(b.Of(worker.StartLine, id)), 1)
	}
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestWhenGraceIsOverHandlersAreInterruptedAndTheirMessagesComeBackAtOnce(t *testing.T) {
	check.Long(t)
	q := pgtest.Queue[worker.Task](t)
	id := check.Send(t, q, worker.Task{Takes: time.Hour})
	const grace = 15 * time.Second // in the last tenth of which the handler ends
	spec := worker.Spec{Queues: []string{q.Name()}, VT: time.Hour, Grace: grace}
	a := worker.Start(t, spec)
	a.First(worker.StartLine, id)
	stop := time.Now()
	a.Signal(syscall.SIGTERM)
	check.Equal(t, "the exit code", a.Exit(), 0)
	if took := time.Since(stop); took < grace*9/10-100*time.Millisecond {
		t.Errorf("the process took %v to end", took)
	}
	check.Equal(t, "the cause of the end of the handler's context", a.First(worker.EndLine, id).Cause, worker.StoppedCause)
	m := check.ReadOne(t, q)
	check.Equal(t, "reads", m.Reads, 1) // the first does not count
}

func TestHandlersThatIgnoreTheirContextDoNotKeepConsume(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[worker.Task](t)
	id := check.Send(t, q, worker.Task{Takes: time.Hour, Stubborn: true})
	const vt, grace = 3 * time.Second, time.Second
	a := worker.Start(t, worker.Spec{Queues: []string{q.Name()}, VT: vt, Grace: grace})
	a.First(worker.StartLine, id)
	stop := time.Now()
	a.Signal(syscall.SIGTERM)
	check.Equal(t, "the exit code", a.Exit(), worker.ExitStopped)
	if took := time.Since(stop); took < grace-100*time.Millisecond {
		t.Errorf("the process took %v to end", took)
	}
	msgs := check.Read(t, q, 1, queue.WaitFor(check.Patience))
	check.Equal(t, "messages that came back", len(msgs), 1)
	if back := time.Since(stop); back < grace {
		t.Errorf("it came back after %v", back)
	}
}
