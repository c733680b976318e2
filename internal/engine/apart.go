package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/guard"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// apartSize is the number of bytes that are to be fetched apart, or 0.
func apartSize(r fetch.Row) int32 {
	if r.Apart {
		return max(r.Stored, 1)
	}
	return 0
}

// bring fetches the body and the headers of a delivery that came without them. It
// waits for the end of outages. A *fetch.Error says that this message cannot be
// fetched, although the server and the link work.
func (s *shared) bring(ctx context.Context, d *Delivery) error {
	err := s.try(func() error {
		return s.onAnyConn(ctx, func(ctx context.Context, on table.Conn) error { return s.bringOn(ctx, on, d, statementTimeout) })
	})
	for patience := fetchPatience; err != nil; patience -= d.blame(err) {
		switch {
		case errors.Is(err, fetch.ErrGone):
			s.leases.lose(d, leaseLost("another has the message, or it is gone"))
			return err
		case ctx.Err() != nil:
			return errors.Join(context.Canceled, context.Cause(ctx))
		case permanent(err):
			return err
		}
		s.observe(ctx, Event{Kind: EventFetchFailed, ID: d.Row.MsgID, Count: 1, Reads: int(d.Row.ReadCt), Err: err})
		if patience <= 0 {
			return &fetch.Error{ID: d.Row.MsgID, Err: err}
		}
		var outage error
		if err, outage = s.bringAgain(ctx, d); outage != nil {
			return outage
		}
	}
	return nil
}

// bringAgain fetches them on a connection over which the rest of the row has just
// come: only then does a failure say something about the message.
func (s *shared) bringAgain(ctx context.Context, d *Delivery) (err, outage error) {
	outage = s.persist(ctx, func(soon context.Context) error {
		return s.onAnyConn(soon, func(soon context.Context, on table.Conn) error {
			if err := s.look(soon, on, d.Row.MsgID); err != nil {
				return err
			}
			err = guard.Call(func() error { return s.bringOn(ctx, on, d, bodyTime) })
			return nil
		})
	})
	return err, outage
}

func (s *shared) bringOn(ctx context.Context, on table.Conn, d *Delivery, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not arrive within %v", limit))
	defer cancel()
	m, err := fetch.Held(ctx, s.queue.Table.Indexed(on), d.Row)
	if err == nil {
		d.Row.Message, d.Row.Headers, d.apart = m.Message, m.Headers, 0
	}
	return err
}

// look finds the row of a message, without its body.
func (s *shared) look(ctx context.Context, on table.Conn, id int64) error {
	_, err := table.Run(ctx, s.queue.Table.Indexed(on), queries.Peek, db.PeekParams{Apart: fetch.All, FromID: id, ToID: id, N: 1})
	return err
}

// blame returns the part of fetchPatience that a failure takes.
func (d *Delivery) blame(err error) int {
	switch {
	case pgerr.EndedSession(err):
		return 0
	case pgerr.Divisible(err), pgerr.Damaged(err):
		return fetchPatience
	case d.apart > fetch.Large && (pgerr.Exceeded(err) || errors.Is(err, context.DeadlineExceeded)):
		return fetchPatience
	case fetch.OfRow(err):
		return fetchPatience - 1
	}
	return 1 // a connection that was cut
}
