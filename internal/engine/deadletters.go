package engine

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/generics"
)

// shortLock makes a transaction fail that waits long for a lock, as it holds a
// connection of the pool meanwhile.
var shortLock = pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL lock_timeout = '2s'"}

// deadLetters writes dead letters. Their queue may be locked, full or gone, so
// nothing else waits for them.
type deadLetters struct {
	*shared
	heartbeat *heartbeat

	mu      sync.Mutex
	waiting []*Delivery    // those of the attempt under way come first
	writing bool           // an attempt is under way or about to be
	failure error          // why the last attempt failed; nil if it wrote something
	fewer   chan struct{}  // receives when an attempt has ended
	running sync.WaitGroup // attempts
}

// enqueue hands dead letters to the writer. While writing fails only so many can
// wait for it; it returns the others, which come back when their leases end.
func (w *deadLetters) enqueue(dead []*Delivery) (refused []*Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	room := len(dead)
	if w.failure != nil {
		room = min(room, max(maxSettled-len(w.waiting), 0))
	}
	refused = dead[room:]
	for _, d := range refused {
		d.unsettled = w.failure
	}
	w.waiting = append(w.waiting, dead[:room]...)
	if !w.writing && len(w.waiting) > 0 {
		w.writing = true
		w.running.Add(1)
		go w.write(0)
	}
	return refused
}

// awaitRoom holds fetching back while there are more dead letters than the server
// keeps up with; but not while writing fails.
func (w *deadLetters) awaitRoom(ctx context.Context) error {
	for {
		w.mu.Lock()
		full := len(w.waiting) >= maxSettled && w.failure == nil
		w.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-w.fewer:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write makes an attempt to write the dead letters that wait, and then starts the
// next. Failures counts the attempts before it that are to be repeated.
func (w *deadLetters) write(failures int) {
	defer w.running.Done()
	if failures > 0 {
		generics.Sleep(w.life, generics.Exponential(retryFirst, retryLast)(failures))
	}
	dead := w.next()
	if len(dead) == 0 {
		return
	}
	defer func() { // also after Goexit
		w.running.Add(1)
		go w.write(failures)
	}()
	w.heartbeat.wait()
	for _, d := range dead {
		d.Row.Message, d.Row.Headers = nil, nil // it may wait for long, and needs them no more
	}
	settleEach(dead, w.recordOnce)
	failures = w.noteAttempt(dead, failures)
}

// next returns the dead letters that have waited longest. Without any, the writer
// ends.
func (w *deadLetters) next() []*Delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.waiting), maxSettled)
	w.writing = n > 0
	return w.waiting[:n:n]
}

// recordOnce records dead letters, without repeating. All consumers of a pool share
// one connection for this.
func (w *deadLetters) recordOnce(to Disposition, dead []*Delivery) (held []generics.Result[bool], err error) {
	ctx, cancel := context.WithTimeout(w.life, statementTimeout)
	defer cancel()
	defer w.awaitPool(ctx, "the writer of dead letters")()
	leave, err := w.listener.DeadLetters.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	err = w.try(func() error {
		return pgx.BeginTxFunc(ctx, w.pool, shortLock, func(tx pgx.Tx) (err error) {
			held, err = w.attempt(ctx, tx, to, dead)
			return err
		})
	})
	return held, attempted(dead, err)
}

// noteAttempt keeps the dead letters to write again, finishes the rest, and returns how
// many attempts in a row have failed.
func (w *deadLetters) noteAttempt(dead []*Delivery, failures int) int {
	var ended, again []*Delivery
	var failure error
	written := false
	for _, d := range dead {
		switch err := d.unsettled; {
		case err == nil:
			written = true
			ended = append(ended, d)
		case permanent(err), divisible(err), w.leases.over(d), w.life.Err() != nil:
			ended = append(ended, d)
		default:
			again = append(again, d)
		}
		if d.unsettled != nil {
			failure = d.unsettled
		}
	}
	failures++
	if len(again) == 0 {
		failures = 0
		if written {
			failure = nil
		}
	}
	w.mu.Lock()
	w.waiting = append(again, w.waiting[len(dead):]...)
	w.failure = failure
	w.mu.Unlock()
	select {
	case w.fewer <- struct{}{}:
	default: // it was told already
	}
	w.finish(ended)
	return failures
}
