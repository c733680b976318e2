package worker

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Arrival is a way in which a message becomes due. It returns the message, and
// since when it should be on its way to a handler.
type Arrival func(t testing.TB, q *queue.Queue[Task], p *Process) (id int64, since time.Time)

// BySend sends one message.
func BySend(t testing.TB, q *queue.Queue[Task], _ *Process) (int64, time.Time) {
	since := time.Now()
	return check.Send(t, q, Task{}), since
}

// ByBatch sends a batch of one.
func ByBatch(t testing.TB, q *queue.Queue[Task], _ *Process) (int64, time.Time) {
	since := time.Now()
	return check.SendBatch(t, q, []Task{{}})[0], since
}

// BySQL sends as psql does: as text, without parameters.
func BySQL(t testing.TB, q *queue.Queue[Task], _ *Process) (id int64, since time.Time) {
	since = time.Now()
	check.OK(t, pgtest.Pool().QueryRow(t.Context(), `SELECT pgmq.send('`+q.Name()+`', '{}')`, pgx.QueryExecModeSimpleProtocol).Scan(&id))
	return id, since
}

// ByTx sends in a transaction.
func ByTx(t testing.TB, q *queue.Queue[Task], _ *Process) (id int64, since time.Time) {
	since = time.Now()
	check.OK(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) (err error) {
		id, err = q.WithTx(tx).Send(context.WithoutCancel(t.Context()), Task{})
		return err
	}))
	return id, since
}

const delay = 200 * time.Millisecond

// ByDelay sends a message that becomes visible later.
func ByDelay(t testing.TB, q *queue.Queue[Task], _ *Process) (int64, time.Time) {
	since := time.Now().Add(delay)
	return check.Send(t, q, Task{}, queue.Delay(delay)), since
}

// ByGivingBack has a reader give a message back.
func ByGivingBack(t testing.TB, q *queue.Queue[Task], p *Process) (int64, time.Time) {
	m := held(t, q, p)
	since := time.Now()
	check.OK(t, q.SetVT(t.Context(), 0, m))
	return m.ID, since
}

// held is a new message that a reader has, and that an idle consumer knows of.
func held(t testing.TB, q *queue.Queue[Task], p *Process) (m *queue.Message[Task]) {
	check.OK(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		check.Send(t, q.WithTx(tx), Task{})
		m = check.ReadOne(t, q.WithTx(tx), queue.VT(time.Hour))
		return nil
	}))
	idleAgain(q, p)
	return m
}

// idleAgain waits until a consumer that was just woken has found nothing, and
// waits again.
func idleAgain(q *queue.Queue[Task], p *Process) {
	time.Sleep(20 * time.Millisecond)
	p.Idle(q.Name())
	time.Sleep(20 * time.Millisecond)
}

// ByRetryingSoon has a reader put a message off for less than its lease.
func ByRetryingSoon(t testing.TB, q *queue.Queue[Task], p *Process) (int64, time.Time) {
	m := held(t, q, p)
	since := time.Now().Add(delay)
	check.OK(t, q.SetVT(t.Context(), delay, m))
	return m.ID, since
}

// ByGivingBackByID makes a delayed message visible.
func ByGivingBackByID(t testing.TB, q *queue.Queue[Task], p *Process) (int64, time.Time) {
	id := check.Send(t, q, Task{}, queue.Delay(time.Hour))
	idleAgain(q, p)
	since := time.Now()
	_, err := q.SetVTID(t.Context(), 0, id)
	check.OK(t, err)
	return id, since
}

// Latencies has one message after another arrive at an idle consumer process,
// and returns how long after it was due the handler of each began.
func Latencies(t testing.TB, n int, arrive Arrival) []time.Duration {
	t.Helper()
	q := pgtest.Queue[Task](t)
	p := Start(t, Spec{Queues: []string{q.Name()}})
	p.Idle(q.Name())
	var all []time.Duration
	for range n {
		time.Sleep(2*time.Millisecond + rand.N(10*time.Millisecond))
		id, since := arrive(t, q, p)
		all = append(all, p.First(StartLine, id).At.Sub(since))
		if all[len(all)-1] > 5*time.Second {
			t.Fatalf("a message took %v", all[len(all)-1])
		}
		p.First(string(queue.EventSettled), id)
	}
	return all
}
