package queue

import (
	"context"
	"errors"
	"sync"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/intercept"
)

// SendAsync hands a message over and returns. The message is sent with others, as
// by Send, in the order of the calls. When the id or the error is known, SendAsync
// calls done with it, from a goroutine of its own, unless done is nil. When done panics,
// observers get [EventPanicked]. Flush waits until all have ended. Because of the order,
// a message that waits for a lock holds up the messages behind it.
//
// Up to 10,000 messages or 64 MiB are under way; beyond that SendAsync waits for
// room. It returns an error, and does not call done, when it cannot hand the message
// over: [*EncodeError]; [ErrInvalidOption], also for a queue that is not on a pool;
// or the cause of ctx, when ctx ends while it waits. When ctx ends later, done gets
// the error that Send would return.
func (q *Queue[T]) SendAsync(ctx context.Context, body T, done func(id int64, err error), opts ...SendOption) error {
	err := q.sendAsync(ctx, body, done, opts)
	if err != nil {
		return q.fail("send async", err)
	}
	return nil
}

func (q *Queue[T]) sendAsync(ctx context.Context, body T, done func(id int64, err error), opts []SendOption) error {
	if _, err := q.pool("SendAsync"); err != nil {
		return err
	}
	if len(q.interceptors) == 0 {
		sent, err := q.begin(ctx, body, opts, nil)
		if err != nil {
			return err
		}
		go func() {
			id, err := sent.wait()
			q.ended(ctx, sent, id, err, done)
		}()
		return nil
	}
	// The interceptors run around the whole send, and so in its goroutine. SendAsync
	// returns when the message has its place in the order.
	handedOver := make(chan error, 1)
	go q.interceptAsync(ctx, body, done, opts, handedOver)
	return <-handedOver
}

// interceptAsync sends a message with interceptors around it. It says on handedOver
// when the message has its place in the order, or why it has none.
func (q *Queue[T]) interceptAsync(
	ctx context.Context, body T, done func(id int64, err error), opts []SendOption, handedOver chan<- error,
) {
	var (
		sent *async
		id   int64
		err  = intercept.ErrNextNotCalled
	)
	defer func() { // also after Goexit in an interceptor
		if sent == nil {
			handedOver <- err
		}
	}()
	op := &Operation{Kind: OpSend, Count: 1}
	err = guarded("an Interceptor", func() error {
		return q.around(ctx, op, func(ctx context.Context) (err error) {
			if sent != nil {
				return errors.New("an interceptor called next twice")
			}
			if sent, err = q.begin(ctx, body, opts, op.headers); err != nil {
				return err
			}
			handedOver <- nil
			if id, err = sent.wait(); err == nil {
				op.IDs = []int64{id}
			}
			return err
		})
	})
	if sent != nil {
		q.ended(ctx, sent, id, err, done)
	}
}

// async is a message that was handed over.
type async struct {
	size int
	wait func() (int64, error)
}

// begin hands a message over when there is room.
func (q *Queue[T]) begin(ctx context.Context, body T, opts []SendOption, added map[string]any) (*async, error) {
	message, err := q.outgoing(body, opts, added)
	if err != nil {
		return nil, err
	}
	if err := q.sender.stream.enter(ctx, message.size()); err != nil {
		return nil, err
	}
	return &async{size: message.size(), wait: q.sender.stream.Begin(ctx, message)}, nil
}

// ended tells how the sending of a message ended.
func (q *Queue[T]) ended(ctx context.Context, sent *async, id int64, err error, done func(id int64, err error)) {
	if err != nil {
		id, err = 0, q.fail("send async", notSent(err))
	}
	defer q.sender.stream.leave(sent.size, err) // also after Goexit
	if err == nil {
		q.tellSent(ctx, id, 1)
	}
	if done == nil {
		return
	}
	failed := guarded("the done of SendAsync", func() error {
		done(id, err)
		return nil
	})
	if failed != nil {
		q.panicked(ctx, failed, -1)
	}
}

// Flush returns the first error of any message, of all callers, since the last Flush.
// It first waits until every message that was handed to SendAsync has ended and its
// done has returned, also for those that others hand over meanwhile. Without any
// messages it returns at once. When ctx ends it returns its cause, and the messages
// under way go on.
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

// stream sends the messages that were handed to SendAsync, and counts those that have
// not ended.
type stream struct {
	generics.Coalescer[outgoing, int64]

	mu     sync.Mutex
	n      int
	bytes  int
	failed error         // the first since the last Flush
	fewer  chan struct{} // closed when one ends; nil while nobody waits for that
}

// enter waits until there is room for a message, or none is under way.
func (s *stream) enter(ctx context.Context, size int) error {
	return s.await(ctx, func() bool {
		if s.n > 0 && (s.n >= maxAsync || s.bytes+size > maxAsyncBytes) {
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
