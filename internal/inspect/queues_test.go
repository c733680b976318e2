package inspect

import (
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/queue/admin"
)

func TestRatesAreTheDifferenceOfTwoLooks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	look := func(seconds, length, lastID, deleted int64, estimated bool) Queue {
		return queueOf(admin.QueueMetrics{Deleted: deleted, Messages: &admin.MessageMetrics{
			At: at.Add(time.Duration(seconds) * time.Second), Length: length, LastID: lastID, Estimated: estimated,
		}})
	}
	for name, test := range map[string]struct {
		before, after Queue
		sent, settled float64 // -1 for none
	}{
		"counted":               {look(0, 10, 100, 0, false), look(2, 14, 120, 0, false), 10, 8},
		"estimated":             {look(0, 10, 100, 50, true), look(2, 14, 120, 60, true), 10, 5},
		"never below 0":         {look(0, 10, 100, 0, false), look(2, 40, 120, 0, false), 10, 0},
		"first look":            {Queue{}, look(2, 14, 120, 0, false), -1, -1},
		"created again":         {look(0, 10, 100, 0, false), look(2, 1, 1, 0, false), -1, -1},
		"no time between":       {look(0, 10, 100, 0, false), look(0, 10, 100, 0, false), -1, -1},
		"unreadable in between": {look(0, 10, 100, 0, false), Queue{}, -1, -1},
	} {
		q := test.after
		q.compare(test.before)
		sent, settled := -1.0, -1.0
		if q.Messages != nil && q.Sent != nil {
			sent, settled = *q.Sent, *q.Settled
		}
		if sent != test.sent || settled != test.settled {
			t.Errorf("%s: %v sent and %v settled a second, not %v and %v", name, sent, settled, test.sent, test.settled)
		}
	}
}
