package load

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/history"
)

// consumer is one Consume, and its observer's state of the deliveries.
type consumer struct {
	*Client
	part
	open sync.Map // of delivery to history.Event, the latest of each
}

type delivery struct {
	id    int64
	reads int
}

// consume consumes until ctx is done, also after errors that end a Consume.
func (c *Client) consume(ctx context.Context, p part) error {
	k := &consumer{Client: c, part: p}
	q, err := queue.New[Task](c.Pool, p.queue, queue.Observe(k.observe))
	if err != nil {
		return err
	}
	opts := []queue.ConsumeOption{
		queue.Workers(4), queue.VT(c.VT), queue.ShutdownGrace(3 * c.VT),
		queue.Backoff(func(int) time.Duration { return 30 * time.Millisecond }),
	}
	if p.queue == Poison {
		opts = append(opts, queue.MaxReads(MaxReads), queue.DeadLetterTo(Dead))
	}
	for {
		if p.queue == Tx {
			err = q.ConsumeTx(ctx, k.handleTx, opts...)
		} else {
			err = q.Consume(ctx, k.handle, opts...)
		}
		if err != nil {
			c.Rec.Note(history.Event{Op: history.Trouble, Queue: p.queue, Err: err.Error()})
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return nil
		}
	}
}

func (k *consumer) handle(ctx context.Context, m *queue.Message[Task]) error {
	return k.work(ctx, m, history.ByConsume, func() error { return nil })
}

// handleTx has an effect: a row that nothing keeps from being there twice.
func (k *consumer) handleTx(ctx context.Context, tx pgx.Tx, m *queue.Message[Task]) error {
	return k.work(ctx, m, history.ByTx, func() error {
		_, err := tx.Exec(ctx, "INSERT INTO effects (msg_id, key) VALUES ($1, $2)", m.ID, m.Body.Key)
		return err
	})
}

var errPlanned = errors.New("the handler fails, as planned")

// work records a delivery and follows the instructions in its body.
func (k *consumer) work(ctx context.Context, m *queue.Message[Task], how string, effect func() error) (err error) {
	e := history.Event{
		Op: history.Deliver, Queue: k.queue, ID: m.ID, Reads: m.Reads, Key: m.Body.Key, How: how,
		Lease: m.VisibleAt.Add(-k.VT), Until: m.VisibleAt, VT: k.VT, Spread: k.VT / 20,
	}
	if k.queue == Poison {
		e.Max = MaxReads
	}
	k.Rec.Note(e)
	e.Op, e.Begin = history.Handled, history.Now()
	lost := make(chan int64, 1)
	stop := context.AfterFunc(ctx, func() { lost <- history.Now() })
	defer func() {
		if !stop() && errors.Is(context.Cause(ctx), queue.ErrLeaseLost) {
			e.Lost = <-lost
		}
		e.Outcome = history.OK
		if err != nil {
			e.Outcome, e.Err = history.Failed, err.Error()
		}
		k.Rec.Note(e)
		e.Begin = history.Now()
		k.open.Store(delivery{m.ID, m.Reads}, e)
	}()
	if err := effect(); err != nil {
		return err
	}
	if !sleep(ctx, m.Body.Takes) {
		return context.Cause(ctx)
	}
	if m.Reads <= m.Body.Fails {
		return errPlanned
	}
	return nil
}

// observe records the results of deliveries. It is called after the fact, and does
// not know of a delivery that another process had.
func (k *consumer) observe(_ context.Context, told queue.Event) {
	switch told.Kind {
	case queue.EventOutage, queue.EventRecovered:
		k.Rec.Note(history.Event{Op: history.Trouble, Queue: k.queue, How: string(told.Kind), Err: text(told.Err)})
		return
	case queue.EventSettled, queue.EventRetried, queue.EventDeadLettered, queue.EventLeaseLost:
	case queue.EventReturned:
		told.Reads++ // it does not count this delivery
	default:
		return
	}
	handled, known := k.open.LoadAndDelete(delivery{told.ID, told.Reads})
	if !known {
		return
	}
	e := handled.(history.Event)
	e.Op, e.Outcome, e.How, e.Err, e.Until, e.VT = history.Settle, history.OK, history.Deleted, "", time.Time{}, 0
	switch told.Kind {
	case queue.EventRetried:
		e.Op, e.How, e.VT = history.Retry, "", told.RetryIn
	case queue.EventReturned:
		e.Op, e.How, e.VT = history.Retry, history.Uncounted, told.RetryIn
	case queue.EventDeadLettered:
		e.How = history.DeadLettered
	case queue.EventLeaseLost: // an attempt may have worked whose answer was lost
		e.Outcome, e.Err = history.Unknown, text(told.Err)
	}
	k.Rec.Note(e)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
