package tests

import (
	"syscall"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// rival starts a second process beside one that has all there is, and waits until
// it is idle.
func rival(t *testing.T, q *queue.Queue[task], spec workerSpec) *process {
	t.Helper()
	p := worker(t, spec)
	p.idle(q.Name())
	return p
}

func TestAHandlerThatOutlivesItsVTFiveTimesKeepsItsMessage(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[task](t)
	spec := workerSpec{Queues: []string{q.Name()}, Workers: 4, VT: time.Second}
	id := send(t, q, task{Takes: 5 * time.Second, Stubborn: true})
	a := worker(t, spec)
	equal(t, "reads", a.first(startLine, id).Reads, 1)
	b := rival(t, q, spec)
	equal(t, "the end of its context", a.first(endLine, id).Cause, "")
	settledOnce(t, id, a, b)
	equal(t, "deliveries", len(a.of(startLine))+len(b.of(startLine)), 1)
	equal(t, "messages", length(t, q), 0)
}

func TestAProcessThatWasStoppedPastItsLeaseSettlesNothing(t *testing.T) {
	t.Parallel()
	for what, stubborn := range map[string]bool{"its handler heeds its context": false, "its handler does not": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			const vt = time.Second
			q := pgtest.Queue[task](t)
			spec := workerSpec{Queues: []string{q.Name()}, VT: vt}
			// The second handler is at work when the first process goes on.
			id := send(t, q, task{Takes: 4 * time.Second, Stubborn: stubborn})
			a := worker(t, spec)
			a.first(startLine, id)
			b := rival(t, q, spec)
			a.signal(syscall.SIGSTOP)
			stopped := time.Now()
			second := b.first(startLine, id)
			equal(t, "reads", second.Reads, 2)
			if back := second.At.Sub(stopped); back > 2*vt {
				t.Errorf("it came back after %v", back)
			}
			equal(t, "what the stopped process wrote", len(a.of(endLine)), 0)
			a.signal(syscall.SIGCONT)
			equal(t, "the cause of the end of its context", a.first(endLine, id).Cause, lostCause)
			t.Log(a.first(string(queue.LeaseLost), id).Err)
			equal(t, "handlers of the second process that ended before", len(b.of(endLine)), 0)
			if by := settledOnce(t, id, a, b); by != b {
				t.Error("the one that lost its lease settled it")
			}
			equal(t, "messages", length(t, q), 0)
		})
	}
}

// A handler that ends in the very moment in which its process goes on has no
// time to learn that its lease is lost: its receipt is refused.
func TestASettleByAnOldReceiptIsRefused(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[task](t)
	spec := workerSpec{Queues: []string{q.Name()}, VT: time.Second}
	id := send(t, q, task{Takes: 1500 * time.Millisecond, Stubborn: true})
	a := worker(t, spec)
	a.first(startLine, id)
	b := rival(t, q, spec)
	a.signal(syscall.SIGSTOP)
	equal(t, "reads", b.first(startLine, id).Reads, 2)
	time.Sleep(800 * time.Millisecond) // the first would be done, the second is not
	a.signal(syscall.SIGCONT)
	a.first(string(queue.LeaseLost), id)
	if by := settledOnce(t, id, a, b); by != b {
		t.Error("the one that lost its lease settled it")
	}
	equal(t, "deliveries", len(a.of(startLine))+len(b.of(startLine)), 2)
}
