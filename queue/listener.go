package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/generics"
)

// wakeChannel is where pgmq._notify_consumers announces; the payload is the queue's table.
const wakeChannel = "pgmq.wake"

const (
	answerTime = 5 * time.Second  // what the server has to answer a small question
	heartbeat  = 15 * time.Second // how often a silent connection is asked whether it lives
)

// errNotListening is the answer to what needs the listening connection.
var errNotListening = errors.New("there is no listening connection")

// listener is the one connection on which all consumers of a pool wait. It is
// there from the first consumer to the last.
//
// While a consumer waits, the connection holds a shared advisory lock of its
// queue, by which senders know that they should announce. The lock ends with the
// connection, whatever becomes of the process.
type listener struct {
	pool  *pgxpool.Pool
	bells generics.Bells[string] // by table; a ring is for one consumer

	turns   chan struct{} // has room for those whose turn it is
	burying chan struct{} // has room for the consumer that records deaths

	users int                // guarded by listeners.mu
	stop  context.CancelFunc // ends run
	gone  chan struct{}      // closed when run has ended

	mu        sync.Mutex
	listening bool
	failed    error // why it does not listen; nil while it has not tried
	calls     []call
	tables    map[string]*awaiting
	interrupt context.CancelFunc // ends a wait for notifications; nil outside of it
	ended     int64              // transactions before this have
	told      time.Time          // when that was last seen
}

// call is something to do on the connection.
type call struct {
	do    func(context.Context, *pgx.Conn) error
	limit time.Duration // for the server's answer
	done  chan error    // has room for it
}

// listeners are those in use: package state, so that any number of consumers of
// a pool share one connection. It is empty while nobody consumes.
var listeners = struct {
	mu     sync.Mutex
	byPool map[*pgxpool.Pool]*listener
}{byPool: map[*pgxpool.Pool]*listener{}}

// listen returns the listener of a pool. Whoever calls it must call leave.
func listen(pool *pgxpool.Pool) *listener {
	listeners.mu.Lock()
	defer listeners.mu.Unlock()
	l := listeners.byPool[pool]
	if l == nil {
		l = &listener{
			pool: pool, turns: make(chan struct{}, mostTurns), burying: make(chan struct{}, 1),
			gone: make(chan struct{}), tables: map[string]*awaiting{},
		}
		var ctx context.Context
		ctx, l.stop = context.WithCancel(context.Background())
		listeners.byPool[pool] = l
		go l.run(ctx)
	}
	l.users++
	return l
}

// leave gives the listener up. The last one ends it, and waits for its end.
func (l *listener) leave() {
	listeners.mu.Lock()
	l.users--
	last := l.users == 0
	if last {
		delete(listeners.byPool, l.pool)
	}
	listeners.mu.Unlock()
	if last {
		l.stop()
		<-l.gone
	}
}

// run connects and serves, again and again.
func (l *listener) run(ctx context.Context) {
	defer close(l.gone)
	pause := generics.Exponential(100*time.Millisecond, 30*time.Second)
	for attempt := 1; ; attempt++ {
		conn, err := l.connect(ctx)
		if err == nil {
			attempt = 1
			l.turn(true, nil)
			err = l.serve(ctx, conn)
		}
		l.turn(false, err)
		if !sleep(ctx, pause(attempt)) {
			return
		}
	}
}

// turn notes whether the connection listens, and has everybody look again: what
// happened meanwhile was not heard.
func (l *listener) turn(listening bool, failed error) {
	l.mu.Lock()
	calls := l.calls
	l.listening, l.failed, l.calls = listening, failed, nil
	l.ended = 0 // it may be another server now
	for _, t := range l.tables {
		t.cease() // it went with the connection
	}
	l.mu.Unlock()
	for _, c := range calls {
		c.done <- errNotListening
	}
	l.bells.RingAll()
}

// state tells whether the connection listens, and if not, why, which is nil
// before the first attempt has ended.
func (l *listener) state() (listening bool, failed error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listening, l.failed
}

// do runs f on the listening connection. The error is errNotListening when there
// is none, or it ended; f is not run twice.
func (l *listener) do(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	// A caller that gives up earlier leaves the connection alone; a deadline that
	// passes is the server's fault, and the connection is closed.
	limit := answerTime
	if end, limited := ctx.Deadline(); limited {
		limit = min(limit, time.Until(end))
	}
	c := call{do: f, limit: limit, done: make(chan error, 1)}
	l.mu.Lock()
	if !l.listening {
		l.mu.Unlock()
		return errNotListening
	}
	l.calls = append(l.calls, c)
	if l.interrupt != nil {
		l.interrupt()
	}
	l.mu.Unlock()
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		if !l.withdraw(c) {
			return <-c.done // under way, for limit at most
		}
		return context.Cause(ctx)
	}
}

// withdraw tells whether it could take back a call, which then is never done.
func (l *listener) withdraw(c call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.calls)
	l.calls = slices.DeleteFunc(l.calls, func(one call) bool { return one.done == c.done })
	return len(l.calls) < before
}

// serve does what is asked for on the connection, and listens in between, until
// the connection or ctx ends.
func (l *listener) serve(ctx context.Context, conn *pgx.Conn) error {
	defer hangUp(ctx, conn)
	for {
		l.mu.Lock()
		calls := l.calls
		l.calls = nil
		silence, cancel := context.WithTimeout(ctx, heartbeat)
		if len(calls) == 0 {
			l.interrupt = cancel
		}
		l.mu.Unlock()

		var err error
		if len(calls) == 0 {
			err = l.hear(ctx, silence, conn)
		}
		cancel()
		for _, c := range calls {
			answer, cancel := context.WithTimeout(ctx, c.limit)
			err = c.do(answer, conn)
			cancel()
			c.done <- err
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case conn.IsClosed():
			return errors.Join(errors.New("the listening connection ended"), err)
		}
	}
}

// hear waits for one announcement, and rings. When silence ends without one it
// asks whether the connection is alive.
func (l *listener) hear(ctx, silence context.Context, conn *pgx.Conn) error {
	n, err := conn.WaitForNotification(silence)
	l.mu.Lock()
	l.interrupt = nil
	l.mu.Unlock()
	answer, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	switch {
	case n == nil && errors.Is(silence.Err(), context.DeadlineExceeded):
		return conn.Ping(answer)
	case n == nil:
		return err
	case n.Channel != wakeChannel:
		return nil
	}
	// Before the bell: who looks then must ask again.
	last, waitedFor := false, l.bells.Waiting(n.Payload) > 0
	l.table(n.Payload, func(t *awaiting) { last = t.hear(waitedFor) })
	l.bells.Ring(n.Payload)
	if !last {
		return nil
	}
	return queries.Unawait(answer, conn, n.Payload)
}
