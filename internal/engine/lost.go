package engine

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// lostFetch is a read whose answer was lost. The server may have hidden messages and
// counted a read that no handler gets. Only their VT identifies the messages: see
// markedVT.
type lostFetch struct {
	first int64         // the id from which on it read
	vt    time.Duration // for how long it hid them
	asked time.Time
	next  time.Time // when to look for them again
	tries int
}

// markedVT returns the VT of one read: longer than the option by a time that it
// shares with no other read, as far as chance can tell.
func (s *source) markedVT() time.Duration {
	room := min(s.options.VT/leaseMargin, maxMark, math.MaxInt64-s.options.VT)
	if room < time.Microsecond {
		return s.options.VT
	}
	return (s.options.VT + rand.N(room)).Truncate(time.Microsecond)
}

// failed reports a read that failed. The messages that it may have hidden are to be given
// back.
func (s *source) failed(ctx context.Context, lost lostFetch, err error) {
	s.observe(s.life, Event{Kind: EventFetchFailed, Err: err})
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && !pgerr.EndedSession(err) {
		return // the server has rolled it back
	}
	s.lost = append(s.lost, lost)
	if ctx.Err() != nil {
		s.recoverLost(s.life) // the engine ends: there is no later attempt
	}
}

// recoverLost gives back the messages that lost fetches have hidden, with their old counts.
// The server may notice late that the connection is gone, and commit after that:
// so recoverLost looks again until the VT is over.
func (s *source) recoverLost(ctx context.Context) {
	now := time.Now()
	s.lost = slices.DeleteFunc(s.lost, func(l lostFetch) bool {
		return !now.Before(l.next) && (s.giveBackLost(ctx, l) || now.Sub(l.asked) > l.vt)
	})
	for i := range s.lost {
		if l := &s.lost[i]; !now.Before(l.next) {
			l.next = now.Add(retryFirst << l.tries)
			l.tries = min(l.tries+1, maxLostTries)
		}
	}
}

// giveBackLost reports whether it found something to give back.
func (s *source) giveBackLost(ctx context.Context, l lostFetch) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var rows []db.GiveBackFetchRow
	err := s.try(func() (err error) {
		rows, err = table.Run(ctx, s.queue.Indexed, queries.GiveBackFetch, db.GiveBackFetchParams{
			First: l.first, VT: l.vt, Within: time.Since(l.asked) + time.Second,
		})
		return err
	})
	if err != nil || len(rows) == 0 {
		return false
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.MsgID
		s.observe(ctx, Event{Kind: EventReturned, ID: row.MsgID, Count: 1, Reads: int(row.ReadCt)})
	}
	s.schedule.CameBack(ids)
	s.notify(ctx)
	return true
}

// nextLost returns the time until a lost fetch is to be looked after.
func (s *source) nextLost(now time.Time) time.Duration {
	left := time.Duration(math.MaxInt64)
	for _, l := range s.lost {
		left = min(left, max(l.next.Sub(now), 0))
	}
	return left
}
