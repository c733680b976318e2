package queue

import (
	"context"
	"fmt"
	"sync"
)

const (
	mostUnderWay     = 10_000   // messages handed to SendAsync and not sent yet
	heaviestUnderWay = 64 << 20 // bytes of those
)

// SendAsync hands a message over and returns; it is sent with others as Send
// does it, in the order of the calls. done, unless it is nil, is called with the
// id or the error when that is known, from a goroutine of its own; Flush waits
// until all have ended.
//
// Up to 10,000 messages or 64 MiB are under way; beyond that SendAsync waits for
// room. It returns an error, and done is not called, when the message cannot be
// handed over: [*EncodeError], [ErrOption], also when the queue is not on a pool,
// or the cause of ctx, which ended while it waited. When ctx ends later, the
// message has the error that Send would return.
func (q *Queue[T]) SendAsync(ctx context.Context, body T, done func(id int64, err error), opts ...SendOption) error {
	const op = "send async"
	if q.sender == nil {
		return q.fail(op, fmt.Errorf("%w: SendAsync needs a *pgxpool.Pool, and the queue is on a %T", ErrOption, q.source))
	}
	message, err := q.outgoing(body, opts)
	if err != nil {
		return q.fail(op, err)
	}
	s := &q.sender.stream
	if err := s.enter(ctx, message.size()); err != nil {
		return q.fail(op, err)
	}
	wait := q.sender.Begin(ctx, message)
	go func() {
		id, err := wait()
		if refused(err) {
			err = &EncodeError{Err: err}
		}
		if err != nil {
			id, err = 0, q.fail(op, err)
		} else {
			q.tell(ctx, Event{Kind: Sent, ID: id, Count: 1})
		}
		defer s.leave(message.size(), err)
		if done != nil {
			done(id, err)
		}
	}()
	return nil
}

// Flush waits until every message that was handed to SendAsync has ended and its
// done has returned, and returns the first error since the last Flush. Others may
// go on sending on this queue meanwhile; then it waits for theirs, too. Without
// any messages it returns at once. When ctx ends it returns its cause, and what
// is under way goes on.
func (q *Queue[T]) Flush(ctx context.Context) error {
	if q.sender == nil {
		return nil
	}
	first, err := q.sender.stream.empty(ctx)
	if err != nil {
		return q.fail("flush", err)
	}
	return first
}

// stream is what was handed to SendAsync and has not ended.
type stream struct {
	mu     sync.Mutex
	n      int
	bytes  int
	failed error         // the first since the last Flush
	fewer  chan struct{} // closed when one ends; nil while nobody waits for that
}

// enter waits until there is room for a message, or none is under way.
func (s *stream) enter(ctx context.Context, size int) error {
	return s.await(ctx, func() bool {
		if s.n > 0 && (s.n >= mostUnderWay || s.bytes+size > heaviestUnderWay) {
			return false
		}
		s.n, s.bytes = s.n+1, s.bytes+size
		return true
	})
}

func (s *stream) leave(size int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.bytes = s.n-1, s.bytes-size
	if s.failed == nil {
		s.failed = err
	}
	if s.fewer != nil {
		close(s.fewer)
		s.fewer = nil
	}
}

// empty waits until nothing is under way, and takes the first error.
func (s *stream) empty(ctx context.Context) (first, err error) {
	err = s.await(ctx, func() bool {
		if s.n > 0 {
			return false
		}
		first, s.failed = s.failed, nil
		return true
	})
	return first, err
}

// await waits until met, which is called with mu held, is true.
func (s *stream) await(ctx context.Context, met func() bool) error {
	for {
		s.mu.Lock()
		if ctx.Err() == nil && met() {
			s.mu.Unlock()
			return nil
		}
		if s.fewer == nil {
			s.fewer = make(chan struct{})
		}
		fewer := s.fewer
		s.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
