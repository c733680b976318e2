package tests

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// arrival is a way in which a message becomes due. It returns the message, and
// since when it should be on its way to a handler.
type arrival func(t testing.TB, q *queue.Queue[task], p *process) (id int64, since time.Time)

func bySend(t testing.TB, q *queue.Queue[task], _ *process) (int64, time.Time) {
	since := time.Now()
	return send(t, q, task{}), since
}

func byBatch(t testing.TB, q *queue.Queue[task], _ *process) (int64, time.Time) {
	since := time.Now()
	return sendBatch(t, q, []task{{}})[0], since
}

// bySQL sends as psql does: as text, without parameters.
func bySQL(t testing.TB, q *queue.Queue[task], _ *process) (id int64, since time.Time) {
	since = time.Now()
	ok(t, pgtest.Pool().QueryRow(t.Context(), `SELECT pgmq.send('`+q.Name()+`', '{}')`, pgx.QueryExecModeSimpleProtocol).Scan(&id))
	return id, since
}

func byTx(t testing.TB, q *queue.Queue[task], _ *process) (id int64, since time.Time) {
	since = time.Now()
	ok(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) (err error) {
		id, err = q.WithTx(tx).Send(context.WithoutCancel(t.Context()), task{})
		return err
	}))
	return id, since
}

const delay = 200 * time.Millisecond

func byDelay(t testing.TB, q *queue.Queue[task], _ *process) (int64, time.Time) {
	since := time.Now().Add(delay)
	return send(t, q, task{}, queue.Delay(delay)), since
}

// byGivingBack has a reader give a message back.
func byGivingBack(t testing.TB, q *queue.Queue[task], p *process) (int64, time.Time) {
	m := held(t, q, p)
	since := time.Now()
	ok(t, q.SetVT(t.Context(), 0, m))
	return m.ID, since
}

// held is a new message that a reader has, and that an idle consumer knows of.
func held(t testing.TB, q *queue.Queue[task], p *process) (m *queue.Message[task]) {
	ok(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		send(t, q.WithTx(tx), task{})
		m = readOne(t, q.WithTx(tx), queue.VT(time.Hour))
		return nil
	}))
	idleAgain(q, p)
	return m
}

// idleAgain waits until a consumer that was just woken has found nothing, and
// waits again.
func idleAgain(q *queue.Queue[task], p *process) {
	time.Sleep(20 * time.Millisecond)
	p.idle(q.Name())
	time.Sleep(20 * time.Millisecond)
}

// byRetryingSoon has a reader put a message off for less than its lease.
func byRetryingSoon(t testing.TB, q *queue.Queue[task], p *process) (int64, time.Time) {
	m := held(t, q, p)
	since := time.Now().Add(delay)
	ok(t, q.SetVT(t.Context(), delay, m))
	return m.ID, since
}

func byGivingBackByID(t testing.TB, q *queue.Queue[task], p *process) (int64, time.Time) {
	id := send(t, q, task{}, queue.Delay(time.Hour))
	idleAgain(q, p)
	since := time.Now()
	_, err := q.SetVTID(t.Context(), 0, id)
	ok(t, err)
	return id, since
}

// latencies has one message after another arrive at an idle consumer process,
// and returns how long after it was due the handler of each began.
func latencies(t testing.TB, n int, arrive arrival) []time.Duration {
	t.Helper()
	q := pgtest.Queue[task](t)
	p := worker(t, workerSpec{Queues: []string{q.Name()}})
	p.idle(q.Name())
	var all []time.Duration
	for range n {
		time.Sleep(2*time.Millisecond + rand.N(10*time.Millisecond))
		id, since := arrive(t, q, p)
		all = append(all, p.first(startLine, id).At.Sub(since))
		if all[len(all)-1] > 5*time.Second {
			t.Fatalf("a message took %v", all[len(all)-1])
		}
		p.first(string(queue.Settled), id)
	}
	return all
}

func TestAnIdleProcessIsWokenByWhateverBringsAMessage(t *testing.T) {
	// Not parallel: it measures time. Looking now and then, without being woken,
	// would take seconds.
	for _, way := range []struct {
		what   string
		n      int
		arrive arrival
		p50    time.Duration
	}{
		{"Send", 200, bySend, 25 * time.Millisecond},
		{"SendBatch", 50, byBatch, 25 * time.Millisecond},
		{"pgmq.send", 200, bySQL, 25 * time.Millisecond},
		{"a transaction", 200, byTx, 25 * time.Millisecond},
		{"its delay", 20, byDelay, 50 * time.Millisecond},
		{"a reader that gives it back", 20, byGivingBack, 25 * time.Millisecond},
		{"a reader that puts it off", 20, byRetryingSoon, 50 * time.Millisecond},
		{"SetVTID", 20, byGivingBackByID, 25 * time.Millisecond},
	} {
		t.Run(way.what, func(t *testing.T) {
			all := latencies(t, way.n, way.arrive)
			t.Logf("after %v: p50 %v, p99 %v, longest %v", way.what, percentile(all, 50), percentile(all, 99), percentile(all, 100))
			if p50 := percentile(all, 50); p50 > way.p50 {
				t.Errorf("p50 is %v, more than %v", p50, way.p50)
			}
			if early := percentile(all, 0); early < 0 {
				t.Errorf("it came %v early", -early)
			}
			if longest := percentile(all, 100); longest > time.Second {
				t.Errorf("one took %v", longest)
			}
		})
	}
}
