package consume

import (
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/internal/worker"
)

func TestAnIdleProcessIsWokenByWhateverBringsAMessage(t *testing.T) {
	check.Slow(t) // looking now and then, without being woken, would take seconds
	for _, way := range []struct {
		what   string
		n      int
		arrive worker.Arrival
		p50    time.Duration
	}{
		{"Send", 200, worker.BySend, 25 * time.Millisecond},
		{"SendBatch", 50, worker.ByBatch, 25 * time.Millisecond},
		{"pgmq.send", 200, worker.BySQL, 25 * time.Millisecond},
		{"a transaction", 200, worker.ByTx, 25 * time.Millisecond},
		{"its delay", 20, worker.ByDelay, 50 * time.Millisecond},
		{"a reader that gives it back", 20, worker.ByGivingBack, 25 * time.Millisecond},
		{"a reader that puts it off", 20, worker.ByRetryingSoon, 50 * time.Millisecond},
		{"SetVTID", 20, worker.ByGivingBackByID, 25 * time.Millisecond},
	} {
		t.Run(way.what, func(t *testing.T) {
			all := worker.Latencies(t, way.n, way.arrive)
			t.Logf("after %v: p50 %v, p99 %v, longest %v", way.what, check.Percentile(all, 50), check.Percentile(all, 99), check.Percentile(all, 100))
			if p50 := check.Percentile(all, 50); p50 > way.p50 {
				t.Errorf("p50 is %v, more than %v", p50, way.p50)
			}
			if early := check.Percentile(all, 0); early < 0 {
				t.Errorf("it came %v early", -early)
			}
			if longest := check.Percentile(all, 100); longest > time.Second {
				t.Errorf("one took %v", longest)
			}
		})
	}
}
