package faults

import (
	"syscall"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/internal/worker"
)

// rival starts a second process beside one that has all there is, and waits until
// it is idle.
func rival(t *testing.T, q *queue.Queue[worker.Task], spec worker.Spec) *worker.Process {
	t.Helper()
	p := worker.Start(t, spec)
	p.Idle(q.Name())
	return p
}

func TestAHandlerThatOutlivesItsVTFiveTimesKeepsItsMessage(t *testing.T) {
	check.Long(t)
	q := pgtest.Queue[worker.Task](t)
	const vt = 3 * time.Second
	spec := worker.Spec{Queues: []string{q.Name()}, Workers: 4, VT: vt}
	id := check.Send(t, q, worker.Task{Takes: 5 * vt, Stubborn: true})
	a := worker.Start(t, spec)
	check.Equal(t, "reads", a.First(worker.StartLine, id).Reads, 1)
	b := rival(t, q, spec)
	check.Equal(t, "the end of its context", a.First(worker.EndLine, id).Cause, "")
	worker.SettledOnce(t, id, a, b)
	check.Equal(t, "deliveries", len(a.Of(worker.StartLine))+len(b.Of(worker.StartLine)), 1)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestAProcessThatWasStoppedPastItsLeaseSettlesNothing(t *testing.T) {
	check.Long(t)
	for what, stubborn := range map[string]bool{"its handler heeds its context": false, "its handler does not": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			const vt = 3 * time.Second
			q := pgtest.Queue[worker.Task](t)
			spec := worker.Spec{Queues: []string{q.Name()}, VT: vt}
			// The second handler is at work when the first process goes on.
			id := check.Send(t, q, worker.Task{Takes: 3 * vt, Stubborn: stubborn})
			a := worker.Start(t, spec)
			a.First(worker.StartLine, id)
			b := rival(t, q, spec)
			a.Signal(syscall.SIGSTOP)
			second := b.First(worker.StartLine, id)
			check.Equal(t, "reads", second.Reads, 2)
			check.Equal(t, "what the stopped process wrote", len(a.Of(worker.EndLine)), 0)
			a.Signal(syscall.SIGCONT)
			check.Equal(t, "the cause of the end of its context", a.First(worker.EndLine, id).Cause, worker.LostCause)
			t.Log(a.First(string(queue.EventLeaseLost), id).Err)
			check.Equal(t, "handlers of the second process that ended before", len(b.Of(worker.EndLine)), 0)
			if by := worker.SettledOnce(t, id, a, b); by != b {
				t.Error("the one that lost its lease settled it")
			}
			check.Equal(t, "messages", check.Length(t, q), 0)
		})
	}
}

// A handler that ends in the very moment in which its process goes on has no
// time to learn that its lease is lost: its receipt is refused.
func TestASettleByAnOldReceiptIsRefused(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[worker.Task](t)
	const vt, takes = 3 * time.Second, 4500 * time.Millisecond
	spec := worker.Spec{Queues: []string{q.Name()}, VT: vt}
	id := check.Send(t, q, worker.Task{Takes: takes, Stubborn: true})
	a := worker.Start(t, spec)
	began := a.First(worker.StartLine, id).At
	b := rival(t, q, spec)
	a.Signal(syscall.SIGSTOP)
	check.Equal(t, "reads", b.First(worker.StartLine, id).Reads, 2)
	time.Sleep(time.Until(began.Add(takes + 100*time.Millisecond))) // the first would be done, the second is not
	a.Signal(syscall.SIGCONT)
	a.First(string(queue.EventLeaseLost), id)
	if by := worker.SettledOnce(t, id, a, b); by != b {
		t.Error("the one that lost its lease settled it")
	}
	check.Equal(t, "deliveries", len(a.Of(worker.StartLine))+len(b.Of(worker.StartLine)), 2)
}
