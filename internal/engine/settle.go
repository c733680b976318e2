package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// settler records the results of handlers. One goroutine at a time uses it.
type settler struct {
	*shared
	heartbeat   *heartbeat
	deadLetters *deadLetters
	fail        func(error) // ends the consumer
}

// settle settles batches whose workers are free again. Dead letters go to a writer
// that nothing else waits for.
func (s *settler) settle(batches []batch) {
	deliveries := slices.Concat(batches...)
	s.leases.move(deliveries, stageSettling, nil)
	owed := 0
	var dead, others []*Delivery
	for _, d := range deliveries {
		switch lost := s.leases.whyLost(d); {
		case lost == nil, d.txOver:
			d.decide(s.options)
		case !errors.Is(lost, errMaxLease):
			// Nobody else may have the message yet: an outage was longer than the VT.
			d.disposition, d.uncounted = Retry, true
			owed++
		}
		if d.disposition == DeadLetter || d.disposition == Discard {
			dead = append(dead, d)
		} else {
			others = append(others, d)
		}
	}
	refused := s.deadLetters.enqueue(dead)
	pay := s.debts.add(owed)
	for part := range slices.Chunk(others, maxSettled) {
		settleEach(part, s.recordAll)
	}
	pay()
	for _, d := range others {
		if d.unsettled != nil && permanent(d.unsettled) {
			s.fail(d.unsettled)
		}
	}
	s.finish(slices.Concat(others, refused))
}

// recordAll records deliveries of one disposition, through outages.
func (s *settler) recordAll(to Disposition, deliveries []*Delivery) (held []generics.Result[bool], err error) {
	s.heartbeat.wait()
	err = s.persist(s.life, func(ctx context.Context) error {
		err := s.onAnyConn(ctx, func(ctx context.Context, on table.Conn) (err error) {
			held, err = s.attempt(ctx, on, to, deliveries)
			return err
		})
		if err == nil && to == Retry {
			s.notify(ctx)
		}
		return attempted(deliveries, err)
	})
	return held, err
}

// divisible reports whether one of several deliveries may be at fault.
func divisible(err error) bool { return pgerr.Divisible(err) || pgerr.Damaged(err) }

// settleEach records deliveries with one statement for each disposition, and notes
// the result of each delivery. One that makes the statement fail is found by
// bisection, and fails alone.
func settleEach(deliveries []*Delivery, record func(Disposition, []*Delivery) (held []generics.Result[bool], err error)) {
	byDisposition := map[Disposition][]*Delivery{}
	for _, d := range deliveries {
		byDisposition[d.disposition] = append(byDisposition[d.disposition], d)
	}
	delete(byDisposition, None)
	for to, same := range byDisposition {
		results := generics.Bisect(same, func(part []*Delivery) ([]generics.Result[bool], error) { return record(to, part) }, divisible)
		for i, d := range same {
			d.settled, d.unsettled = results[i].Value, results[i].Err
		}
	}
}
