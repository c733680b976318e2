package load

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/history"
)

// reader reads and settles by hand.
type reader struct {
	*Client
	part
	q *queue.Queue[Task]
}

func (c *Client) readByHand(ctx context.Context, p part) error {
	q, err := queue.New[Task](c.Pool, p.queue)
	if err != nil {
		return err
	}
	r := &reader{Client: c, part: p, q: q}
	for sleep(ctx, time.Duration(p.rand.Int64N(int64(10*time.Millisecond)))) {
		r.read(ctx)
	}
	return nil
}

// held is a message in the hand of its reader.
type held struct {
	*queue.Message[Task]
	history.Event // its delivery
}

// read reads some messages and does something with each.
func (r *reader) read(ctx context.Context) {
	n := 1 + r.rand.IntN(8)
	begin, number := history.Now(), r.Rec.Next()
	once, cancel := within(ctx)
	defer cancel()
	msgs, err := r.q.Read(once, n, queue.VT(r.VT))
	if err != nil {
		r.Rec.Note(history.Event{Op: history.Trouble, Queue: r.queue, Begin: begin, Err: err.Error()})
		sleep(ctx, 200*time.Millisecond)
		return
	}
	var all []held
	for i, m := range msgs {
		e := history.Event{
			Op: history.Deliver, Queue: r.queue, ID: m.ID, Reads: m.Reads, Key: m.Body.Key, How: history.ByRead, Read: number, Place: i,
			Begin: begin, Lease: m.VisibleAt.Add(-r.VT), Until: m.VisibleAt, VT: r.VT,
		}
		r.Rec.Note(e)
		all = append(all, held{m, e})
	}
	if len(all) > 0 {
		r.decide(ctx, once, all)
	}
}

// decide does one of the things that one can do with messages.
func (r *reader) decide(ctx, once context.Context, all []held) {
	if all[0].Event.Reads > 1 && r.rand.IntN(2) == 0 {
		sleep(ctx, r.VT/2) // so that the earlier holder finds that we hold it
	}
	switch r.rand.IntN(40) {
	case 0: // they come back
		return
	case 1, 2, 3: // somebody else may have them by then
		sleep(ctx, r.VT+r.VT/10)
	case 4: // likewise
		sleep(ctx, r.VT+r.VT/10)
		r.setVT(once, all, r.VT)
	case 5:
		r.setVT(once, all, 0)
		return
	case 6, 7:
		r.setVT(once, all, 2*r.VT)
	}
	half := r.rand.IntN(len(all) + 1)
	r.settle(once, history.Deleted, r.q.Delete, all[:half])
	r.settle(once, history.Archived, r.q.Archive, all[half:])
}

// settle settles messages in one call.
func (r *reader) settle(ctx context.Context, how string, do func(context.Context, ...*queue.Message[Task]) error, all []held) {
	r.each(all, history.Event{Op: history.Settle, How: how}, func(msgs []*queue.Message[Task]) error { return do(ctx, msgs...) })
}

func (r *reader) setVT(ctx context.Context, all []held, vt time.Duration) {
	r.each(all, history.Event{Op: history.Extend, VT: vt}, func(msgs []*queue.Message[Task]) error { return r.q.SetVT(ctx, vt, msgs...) })
}

// each records one call for several messages as an operation on each of them.
func (r *reader) each(all []held, like history.Event, do func([]*queue.Message[Task]) error) {
	if len(all) == 0 {
		return
	}
	var msgs []*queue.Message[Task]
	var begun []history.Event
	for _, h := range all {
		e := like
		e.Queue, e.ID, e.Reads, e.Lease, e.Key = r.queue, h.Event.ID, h.Event.Reads, h.Lease, h.Key
		begun = append(begun, r.Rec.Start(e))
		msgs = append(msgs, h.Message)
	}
	err := do(msgs)
	lost, some := errors.AsType[*queue.LeaseLostError](err)
	for i, e := range begun {
		o := outcome(err)
		if some {
			o = history.OK
			if slices.Contains(lost.IDs, e.ID) {
				o = history.Failed
			}
		}
		if e.Op == history.Extend && o == history.OK {
			e.Until = msgs[i].VisibleAt
		}
		r.Rec.Finish(e, o, err)
	}
}
