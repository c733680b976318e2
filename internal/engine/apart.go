package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// apartSize is the number of bytes for which a row is to be fetched apart.
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
	limit := statementTimeout
	for patience := fetchPatience; ; limit = bodyTime {
		err := s.try(func() error { return s.bringOnce(ctx, d, limit) })
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fetch.ErrGone):
			s.leases.lose(d, leaseLost("another has the message, or it is gone"))
			return err
		case ctx.Err() != nil:
			return errors.Join(context.Canceled, context.Cause(ctx))
		case permanent(err):
			return err
		}
		s.observe(ctx, Event{Kind: EventFetchFailed, ID: d.Row.MsgID, Count: 1, Reads: int(d.Row.ReadCt), Err: err})
		// It is the message's fault if the rest of its row comes out.
		if err := s.persist(ctx, func(ctx context.Context) error { return s.look(ctx, d.Row.MsgID) }); err != nil {
			return err
		}
		switch {
		case pgerr.Divisible(err), pgerr.Damaged(err):
			patience = 0
		case fetch.OfRow(err), errors.Is(err, context.DeadlineExceeded):
			patience -= 2
		default: // a connection that was cut
			patience--
		}
		if patience <= 0 {
			return &fetch.Error{ID: d.Row.MsgID, Err: err}
		}
	}
}

func (s *shared) bringOnce(ctx context.Context, d *Delivery, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not arrive within %v", limit))
	defer cancel()
	return s.onAnyConn(ctx, func(ctx context.Context, on table.Conn) error {
		m, err := fetch.Held(ctx, s.queue.Table.Indexed(on), d.Row)
		if err == nil {
			d.Row.Message, d.Row.Headers, d.apart = m.Message, m.Headers, false
		}
		return err
	})
}

// look finds the row of a message, without its body.
func (s *shared) look(ctx context.Context, id int64) error {
	_, err := table.Run(ctx, s.queue.Indexed, queries.Peek, db.PeekParams{Apart: fetch.All, FromID: id, ToID: id, N: 1})
	return err
}
