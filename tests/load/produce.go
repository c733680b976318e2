package load

import (
	"context"
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/history"
)

// producer is one goroutine that sends.
type producer struct {
	*Client
	part
	q    *queue.Queue[Task]
	sent int
}

func (c *Client) produce(ctx context.Context, p part) error {
	q, err := queue.New[Task](c.Pool, p.queue)
	if err != nil {
		return err
	}
	s := &producer{Client: c, part: p, q: q}
	for sleep(ctx, time.Duration(p.rand.Int64N(int64(2*c.Every)))) {
		s.send(ctx)
	}
	return nil
}

// send sends once, in one of three ways.
func (s *producer) send(ctx context.Context) {
	tasks := []Task{s.task()}
	way := s.rand.IntN(10)
	if way >= 6 {
		for range 1 + s.rand.IntN(10) {
			tasks = append(tasks, s.task())
		}
	}
	e := history.Event{Op: history.Send, Queue: s.queue}
	for _, t := range tasks {
		e.Keys = append(e.Keys, t.Key)
	}
	var opts []queue.SendOption
	if s.queue == Fifo { // a group has one sender, so that its order is known
		e.Group = fmt.Sprintf("%s.%d.%d", s.Name, s.n, s.rand.IntN(3))
		opts = append(opts, queue.Headers{"x-pgmq-group": e.Group})
	}
	if way >= 8 {
		e.How = history.WithOrder
	}
	ctx, cancel := within(ctx)
	defer cancel()
	e = s.Rec.Start(e)
	switch {
	case way >= 8:
		ids, o, err := s.sendTx(ctx, tasks, opts)
		e.IDs = ids
		s.Rec.Finish(e, o, err)
	case way >= 6:
		ids, err := s.q.SendBatch(ctx, tasks, opts...)
		e.IDs = ids
		s.Rec.Finish(e, sendOutcome(err), err)
	default:
		id, err := s.q.Send(ctx, tasks[0], opts...)
		if err == nil {
			e.IDs = []int64{id}
		}
		s.Rec.Finish(e, sendOutcome(err), err)
	}
}

// sendTx sends with the orders that the messages are about, in one transaction.
func (s *producer) sendTx(ctx context.Context, tasks []Task, opts []queue.SendOption) ([]int64, history.Outcome, error) {
	tx, err := s.Pool.Begin(ctx)
	if err != nil {
		return nil, history.Failed, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for _, t := range tasks {
		if _, err := tx.Exec(ctx, "INSERT INTO orders (queue, key) VALUES ($1, $2)", s.queue, t.Key); err != nil {
			return nil, history.Failed, err
		}
	}
	ids, err := s.q.WithTx(tx).SendBatch(ctx, tasks, opts...)
	if err != nil {
		return nil, history.Failed, err
	}
	if s.rand.IntN(10) == 0 {
		return nil, history.Failed, tx.Rollback(ctx)
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, outcome(err), err
	}
	return ids, history.OK, nil
}

// task makes a message up. A few take longer than their lease.
func (s *producer) task() Task {
	s.sent++
	t := Task{
		Key:   fmt.Sprintf("%s.%s%d.%d", s.Name, s.queue, s.n, s.sent),
		Takes: time.Duration(s.rand.Int64N(int64(4 * time.Millisecond))),
	}
	switch n := s.rand.IntN(200); {
	case n < 2:
		t.Takes = 3 * s.VT / 2
	case n < 6:
		t.Takes = 300 * time.Millisecond
	}
	switch {
	case s.queue == Poison:
		t.Fails = s.rand.IntN(MaxReads + 2)
	case s.rand.IntN(20) == 0:
		t.Fails = 1
	}
	return t
}
