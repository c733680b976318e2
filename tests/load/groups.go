package load

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/history"
)

// groupReads are the ways to read in the order of groups.
var groupReads = []string{"pgmq.read_grouped", "pgmq.read_grouped_rr", "pgmq.read_grouped_head"}

// readGroups reads by SQL, and settles by id as clients of SQL do.
func (c *Client) readGroups(ctx context.Context, p part) error {
	q, err := queue.New[Task](c.Pool, p.queue)
	if err != nil {
		return err
	}
	for sleep(ctx, time.Duration(p.rand.Int64N(int64(20*time.Millisecond)))) {
		got, err := c.readGroup(ctx, p)
		if err != nil {
			c.Rec.Note(history.Event{Op: history.Trouble, Queue: p.queue, Err: err.Error()})
			sleep(ctx, 200*time.Millisecond)
			continue
		}
		if p.rand.IntN(100) == 0 {
			continue // they come back
		}
		for _, e := range got {
			once, cancel := within(ctx)
			e = c.Rec.Start(history.Event{
				Op: history.Settle, How: history.DeletedByID, Queue: e.Queue, ID: e.ID, Reads: e.Reads, Lease: e.Lease, Key: e.Key,
			})
			there, err := q.DeleteID(once, e.ID)
			o := outcome(err)
			if err == nil && len(there) == 0 {
				o = history.Failed
			}
			c.Rec.Finish(e, o, err)
			cancel()
		}
	}
	return nil
}

// readGroup reads once.
func (c *Client) readGroup(ctx context.Context, p part) ([]history.Event, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	begin, number := history.Now(), c.Rec.Next()
	read := groupReads[p.rand.IntN(len(groupReads))]
	rows, err := c.Pool.Query(ctx, `SELECT msg_id, read_ct, last_read_at, vt, message->>'key' FROM `+read+`($1, $2, $3)`,
		p.queue, int(c.VT/time.Second), 1+p.rand.IntN(8))
	if err != nil {
		return nil, err
	}
	var got []history.Event
	e := history.Event{Op: history.Deliver, Queue: p.queue, How: history.ByGroup, Begin: begin, Read: number, VT: c.VT}
	_, err = pgx.ForEachRow(rows, []any{&e.ID, &e.Reads, &e.Lease, &e.Until, &e.Key}, func() error {
		e.Place = len(got)
		got = append(got, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, e := range got {
		c.Rec.Note(e)
	}
	return got, nil
}
