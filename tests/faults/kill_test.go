package faults

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/internal/worker"
)

// handling is one delivery of a message to a handler.
type handling struct {
	worker.Line
	by      *worker.Process
	until   time.Time // when its handler ended, or its process was killed
	settled bool
	open    bool // it was cut off, before its end or its settling was told
	lost    bool // its process lived, and lost the lease
}

// leasedAt is when the lease began, by the server's clock.
func (h handling) leasedAt(vt time.Duration) time.Time { return h.VisibleAt.Add(-vt) }

// handlings returns by message what the processes, which have ended, handled, in
// the order of reads; and how many leases processes lost while they lived.
func handlings(t *testing.T, all []*worker.Process) (byID map[int64][]*handling, lost int) {
	t.Helper()
	byID = map[int64][]*handling{}
	for _, p := range all {
		type delivery struct {
			id    int64
			reads int
		}
		here := map[delivery]*handling{}
		for _, l := range p.All() {
			h := here[delivery{l.ID, l.Reads}]
			switch l.What {
			case worker.StartLine:
				h = &handling{Line: l, by: p, until: p.Killed, open: true}
				here[delivery{l.ID, l.Reads}] = h
				byID[l.ID] = append(byID[l.ID], h)
			case worker.EndLine:
				h.until = l.At
			case string(queue.EventSettled):
				h.settled, h.open = true, false
			case string(queue.EventLeaseLost):
				t.Logf("message %d: a living process lost its lease: %s", l.ID, l.Err)
				lost++
				if h != nil {
					h.lost = true
				}
			}
		}
	}
	for _, handlings := range byID {
		slices.SortFunc(handlings, func(a, b *handling) int { return cmp.Or(a.Reads-b.Reads, a.At.Compare(b.At)) })
	}
	return byID, lost
}

func TestKilledConsumersLoseNothing(t *testing.T) {
	check.Alone(t)
	kill(t, 6000, 6, time.Second, 3*time.Second)
}

func TestMessagesOfKilledConsumersComeBackAfterTheirVT(t *testing.T) {
	check.Slow(t)
	const vt, n = 2 * time.Second, 40_000
	began, all, byID, lost := kill(t, n, 100, 1500*time.Millisecond, vt)
	// A machine that is busy may stand still for longer than a lease. It is rare.
	if lost > n/1000 {
		t.Errorf("living processes lost %d leases", lost)
	}
	cameBack(t, began, all, byID, vt)
}

// kill has three processes work on n messages, kills one of them now and then, and
// fails the test if a message was not handled well. It returns when it began, all
// processes, and the results of handlings.
func kill(t *testing.T, n, kills int, every, vt time.Duration) (time.Time, []*worker.Process, map[int64][]*handling, int) {
	t.Helper()
	q := pgtest.Queue[worker.Task](t)
	var sent []int64
	for range n / 1000 {
		tasks := make([]worker.Task, 1000)
		for i := range tasks {
			tasks[i].Takes = time.Millisecond + rand.N(4*time.Millisecond)
			if i%16 == 0 { // so that a kill finds something in hand
				tasks[i].Takes = 400 * time.Millisecond
			}
			if i%500 == 0 { // longer than the lease, shorter than a process lives
				tasks[i].Takes = 5 * vt / 4
			}
		}
		sent = append(sent, check.SendBatch(t, q, tasks)...)
	}

	began := time.Now()
	start := func() *worker.Process {
		return worker.Start(t, worker.Spec{Queues: []string{q.Name()}, Workers: 16, VT: vt})
	}
	running := []*worker.Process{start(), start(), start()}
	all := slices.Clone(running)
	for range kills {
		time.Sleep(every)
		if check.Length(t, q) == 0 {
			break
		}
		victim := rand.N(3)
		running[victim].Kill()
		running[victim] = start()
		all = append(all, running[victim])
	}
	check.Eventually(t, "all are settled", func() bool { return check.Length(t, q) == 0 })
	t.Logf("%d messages in %v, with %d kills", n, time.Since(began).Round(time.Millisecond), len(all)-len(running))
	for _, p := range running {
		p.Signal(syscall.SIGTERM)
	}
	for _, p := range running {
		check.Equal(t, "the exit code", p.Exit(), 0)
	}

	byID, lost := handlings(t, all)
	again := 0
	for _, id := range sent {
		if err := handledWell(byID[id], vt); err != nil {
			t.Errorf("message %d: %v", id, err)
		}
		again += len(byID[id]) - 1
	}
	if again == 0 {
		t.Error("no kill found anything in hand: the test shows nothing")
	}
	return began, all, byID, lost
}

// handledWell returns the fault in the handlings of one message.
func handledWell(handlings []*handling, vt time.Duration) error {
	if len(handlings) == 0 {
		return fmt.Errorf("it is lost")
	}
	for i, h := range handlings[1:] {
		before := handlings[i]
		switch {
		case before.settled:
			return fmt.Errorf("delivery %d came after it was settled", h.Reads)
		case h.Reads == before.Reads:
			return fmt.Errorf("delivery %d went to two", h.Reads)
		case before.lost: // until it learned of that, both were at work
		case before.until.IsZero() || h.At.Before(before.until):
			return fmt.Errorf("delivery %d came while delivery %d was handled", h.Reads, before.Reads)
		case h.leasedAt(vt).Before(before.VisibleAt.Add(-vt / 20)): // a heartbeat drops the mark of the read
			return fmt.Errorf("delivery %d came %v before the lease of delivery %d was over",
				h.Reads, before.VisibleAt.Sub(h.leasedAt(vt)), before.Reads)
		}
	}
	// Unless it was killed between the two, the process settled its last message.
	if last := handlings[len(handlings)-1]; !last.settled && last.by.Killed.IsZero() {
		return fmt.Errorf("delivery %d was not settled", last.Reads)
	}
	return nil
}

// cameBack logs when the messages came back that a killed process had in hand,
// and fails the test if that took much longer than a VT.
func cameBack(t *testing.T, began time.Time, all []*worker.Process, byID map[int64][]*handling, vt time.Duration) {
	t.Helper()
	after := map[*worker.Process][]time.Duration{}
	var total []time.Duration
	for id, handlings := range byID {
		for i, h := range handlings {
			// Otherwise it was settled in the last moment, or another took it, and died
			// before it came to it.
			if !h.open || h.lost || i+1 == len(handlings) || handlings[i+1].Reads != h.Reads+1 {
				continue
			}
			back := handlings[i+1].At.Sub(h.by.Killed)
			after[h.by] = append(after[h.by], back)
			total = append(total, back)
			if back > vt+1500*time.Millisecond {
				t.Errorf("message %d came back %v after the kill", id, back)
			}
		}
	}
	for i, p := range all {
		if back := after[p]; len(back) > 0 {
			t.Logf("process %d, killed after %v: %d came back %v to %v later", i+1, p.Killed.Sub(began).Round(time.Millisecond),
				len(back), check.Percentile(back, 0).Round(time.Millisecond), check.Percentile(back, 100).Round(time.Millisecond))
		}
	}
	if len(total) == 0 {
		t.Fatal("no kill found anything in hand: the test shows nothing")
	}
	t.Logf("%d came back: p50 %v, p99 %v, longest %v after the kill; the VT is %v", len(total),
		check.Percentile(total, 50).Round(time.Millisecond), check.Percentile(total, 99).Round(time.Millisecond), check.Percentile(total, 100).Round(time.Millisecond), vt)
}
