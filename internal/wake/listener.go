// Package wake lets the consumers of a pool sleep until a sender notifies them.
//
// All consumers of a pool share one [Listener]: a connection beside the pool that
// runs LISTEN. Where a session depends on its caller, only those of one ctx do. While a
// consumer waits for a queue, that connection holds a shared advisory lock of the queue,
// a [Subscription]. Senders look at the lock and call NOTIFY only when it is held. The
// lock ends with the connection, so nothing stays behind when the process dies.
// docs/inside.md has the protocol step by step.
package wake

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/guard"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
)

// channel is the channel on which pgmq._notify_consumers notifies. The payload is
// the queue's table.
const channel = "pgmq.wake"

// ErrNotListening is the error of a call that needs the listening connection.
var ErrNotListening = errors.New("there is no listening connection")

// queries are the generated queries; they carry no state.
var queries = db.New()

// Listener is the listening connection of a pool, with the state that its users share. It
// exists from the first For to the last Release.
type Listener struct {
	use    use
	pool   table.Pool
	wakers generics.Wakers[string] // by table; one notification wakes one consumer

	statements Limiter // short statements of consumers
	// DeadLetters lets one consumer at a time write dead letters, so that writes
	// that fail do not drain the pool.
	DeadLetters Limiter
	// Transactions lets so many handlers have a transaction at once that some
	// connections of the pool are left for short statements, the handlers' own among
	// them. So no two handlers wait for each other for ever.
	Transactions Limiter

	users int                // guarded by listeners.mu
	stop  context.CancelFunc // ends run
	done  chan struct{}      // closed when run has ended

	mu            sync.Mutex
	listening     bool
	failed        error // why it does not listen; nil before the first attempt has ended
	calls         []call
	subscriptions map[string]*Subscription // by table
	interrupt     context.CancelFunc       // ends a wait for notifications; nil outside of it
	endedBelow    int64                    // all transactions below this have ended
	endedAt       time.Time                // when that was last seen
}

// call is a function to run on the connection.
type call struct {
	do    func(context.Context, *pgx.Conn) error
	limit time.Duration // for the server's answer
	done  chan error    // has room for it
}

// listeners are those in use. They are package state, so that any number of
// consumers of a pool share one connection; empty while nobody consumes.
var listeners = struct {
	mu    sync.Mutex
	byUse map[use]*Listener
}{byUse: map[use]*Listener{}}

// use identifies the users that share a listener: by the pool and, where a session
// depends on the caller, by the ctx.
type use struct {
	pool   table.Pool
	caller context.Context //nolint:containedctx // it is compared
}

// For returns the listener of a pool. With a ctx it returns the listener of the callers
// with the same ctx; the pool's hooks prepare its connection. The caller calls Release.
func For(caller context.Context, pool table.Pool) *Listener {
	if caller != nil && !reflect.ValueOf(caller).Comparable() {
		caller = &struct{ context.Context }{caller} // equal to nothing else
	}
	u := use{pool, caller}
	listeners.mu.Lock()
	defer listeners.mu.Unlock()
	l := listeners.byUse[u]
	if l == nil {
		l = &Listener{
			use:           u,
			pool:          pool,
			statements:    make(Limiter, statementSlots),
			DeadLetters:   make(Limiter, 1),
			Transactions:  make(Limiter, max(1, int(pool.Config().MaxConns)-spareConns)),
			done:          make(chan struct{}),
			subscriptions: map[string]*Subscription{},
		}
		ctx := context.Background()
		if caller != nil {
			ctx = context.WithoutCancel(caller)
		}
		ctx, l.stop = context.WithCancel(ctx)
		listeners.byUse[u] = l
		go l.run(ctx)
	}
	l.users++
	return l
}

// Release gives the listener up. The last user's Release ends the connection, and
// waits for its end.
func (l *Listener) Release() {
	listeners.mu.Lock()
	l.users--
	last := l.users == 0
	if last {
		delete(listeners.byUse, l.use)
	}
	listeners.mu.Unlock()
	if last {
		l.stop()
		<-l.done
	}
}

// Wait enters the caller for the next wake-up of a table's consumers.
func (l *Listener) Wait(table string) *generics.Waiter[string] { return l.wakers.Wait(table) }

// Wake wakes the consumer of this process that has waited longest for a table.
func (l *Listener) Wake(table string) { l.wakers.Wake(table) }

// State reports whether the connection listens, and if not, why; the reason is nil
// before the first attempt has ended.
func (l *Listener) State() (listening bool, failed error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listening, l.failed
}

// Do runs f on the listening connection, once at most. The error is
// ErrNotListening when there is no connection, or when it ended before.
func (l *Listener) Do(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	// A caller that gives up early leaves the connection alone. A deadline that
	// passes while f runs is the server's fault, and closes the connection.
	limit := answerTimeout
	if end, limited := ctx.Deadline(); limited {
		limit = min(limit, time.Until(end))
	}
	c := call{do: f, limit: limit, done: make(chan error, 1)}
	l.mu.Lock()
	if !l.listening {
		l.mu.Unlock()
		return ErrNotListening
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
			return <-c.done // it runs, for limit at most
		}
		return context.Cause(ctx)
	}
}

// withdraw takes back a call that has not begun, and reports whether it could.
func (l *Listener) withdraw(c call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.calls)
	l.calls = slices.DeleteFunc(l.calls, func(one call) bool { return one.done == c.done })
	return len(l.calls) < before
}

// run connects and serves, again and again, until ctx ends.
func (l *Listener) run(ctx context.Context) {
	defer close(l.done)
	pause := generics.Exponential(100*time.Millisecond, 30*time.Second)
	for attempt := 1; ; attempt++ {
		var conn *pgx.Conn
		err := guard.Apart(func() (err error) { // it calls hooks of the pool
			conn, err = connect(ctx, l.pool)
			return err
		})
		if err == nil {
			attempt = 1
			l.setState(true, nil)
			err = l.serve(ctx, conn)
		}
		l.setState(false, err)
		if !generics.Sleep(ctx, pause(attempt)) {
			return
		}
	}
}

// setState notes whether the connection listens, and wakes every consumer: they got no
// notification of messages sent meanwhile.
func (l *Listener) setState(listening bool, failed error) {
	l.mu.Lock()
	calls := l.calls
	l.listening, l.failed, l.calls = listening, failed, nil
	l.endedBelow = 0 // it may be another server now
	for _, s := range l.subscriptions {
		s.end() // its lock went with the connection
	}
	l.mu.Unlock()
	for _, c := range calls {
		c.done <- ErrNotListening
	}
	l.wakers.WakeAll()
}

// serve runs calls on the connection and receives notifications in between, until
// the connection or ctx ends.
func (l *Listener) serve(ctx context.Context, conn *pgx.Conn) error {
	defer closeConn(ctx, conn)
	for {
		l.mu.Lock()
		calls := l.calls
		l.calls = nil
		silence, cancel := context.WithTimeout(ctx, pingInterval)
		if len(calls) == 0 {
			l.interrupt = cancel
		}
		l.mu.Unlock()

		var err error
		if len(calls) == 0 {
			err = l.receive(ctx, silence, conn)
		}
		cancel()
		for _, c := range calls {
			answer, cancel := context.WithTimeout(ctx, c.limit)
			err = guard.Call(func() error { return c.do(answer, conn) })
			cancel()
			c.done <- err
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errReadOnly), pgerr.ReadOnly(err):
			return errReadOnly
		case conn.IsClosed():
			return errors.Join(errors.New("the listening connection ended"), err)
		}
	}
}

// receive waits for one notification and wakes a consumer. When silence ends
// without one, it checks the connection.
func (l *Listener) receive(ctx, silence context.Context, conn *pgx.Conn) error {
	n, err := conn.WaitForNotification(silence)
	l.mu.Lock()
	l.interrupt = nil
	l.mu.Unlock()
	answer, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	switch {
	case n == nil && errors.Is(silence.Err(), context.DeadlineExceeded):
		return check(answer, conn)
	case n == nil:
		return err
	case n.Channel != channel:
		return nil
	}
	// The state changes before the consumer wakes: it must see that it has to
	// subscribe again.
	ended, waitedFor := false, l.wakers.Waiting(n.Payload) > 0
	l.update(n.Payload, func(s *Subscription) { ended = s.notified(waitedFor) })
	l.wakers.Wake(n.Payload)
	if !ended {
		return nil
	}
	return queries.Unsubscribe(answer, conn, n.Payload)
}
