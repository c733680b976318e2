package wake

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/generics"
)

// Subscription is the state of one queue's notifications on a listening
// connection. It goes from off to active by Subscribe, and back by end.
type Subscription struct {
	active      bool          // senders notify
	renewedAt   time.Time     // when they were asked to, or last did in time
	minInterval time.Duration // between two requests or notifications
	generation  int           // how often it has ended
	received    int           // notifications
	scannedAt   time.Time     // when a consumer last scanned a queue that was quiet
}

// Continues reports whether the present waiters get notifications of all messages sent
// since an earlier state.
func (s Subscription) Continues(earlier Subscription) bool {
	return earlier.active && s.generation == earlier.generation && s.received == earlier.received
}

// notified notes a notification, and reports whether the subscription ends: nobody
// waits, or senders notify more often than the interval allows.
func (s *Subscription) notified(waitedFor bool) (ended bool) {
	s.received++
	if !s.active {
		return false // another session asked for it
	}
	if !waitedFor || time.Since(s.renewedAt) < s.minInterval {
		s.end()
		return true
	}
	s.renewedAt = time.Now()
	return false
}

// end notes that senders no longer notify.
func (s *Subscription) end() {
	s.active = false
	s.generation++
}

// Subscribe has senders to a queue's table notify from now on, until they notify
// too often or while nobody waits. It first waits until the interval since the
// last request is over. On an active subscription it does nothing.
func (l *Listener) Subscribe(ctx context.Context, table string) error {
	s := l.Subscription(table)
	if s.active {
		return nil
	}
	if !generics.Sleep(ctx, time.Until(s.renewedAt.Add(s.minInterval))) {
		return context.Cause(ctx)
	}
	return l.Do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if l.Subscription(table).active {
			return nil // another consumer has asked meanwhile
		}
		err := queries.Subscribe(ctx, conn, table)
		if err == nil {
			l.update(table, func(s *Subscription) { s.active, s.renewedAt = true, time.Now() })
		}
		return err
	})
}

// Found notes that a read of any consumer found messages: the interval is the
// shortest again.
func (l *Listener) Found(table string) {
	l.update(table, func(s *Subscription) { s.minInterval = MinInterval })
}

// FoundNothing notes that a read found no message. Senders should notify less
// often of messages that nobody can read yet, and consumers should not scan at
// once again where a scan is slow: rest is the pause after one.
func (l *Listener) FoundNothing(table string, rest time.Duration) {
	l.update(table, func(s *Subscription) {
		s.minInterval = max(min(2*s.minInterval, unreadInterval), MinInterval, min(rest, maxInterval))
	})
}

// MayScan reports whether no consumer has scanned a quiet queue for a while, and
// if so counts the caller's scan.
func (l *Listener) MayScan(table string, interval time.Duration) bool {
	before := l.update(table, func(s *Subscription) {
		if time.Since(s.scannedAt) > interval {
			s.scannedAt = time.Now()
		}
	})
	return time.Since(before.scannedAt) > interval
}

// Ended notes that all transactions below an id have ended, which holds for the
// queues of all consumers.
func (l *Listener) Ended(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endedBelow, l.endedAt = max(l.endedBelow, id), time.Now()
}

// MayHaveEnded reports whether the transactions below an id may have ended: they
// have, or for a while no consumer has seen how far the server is.
func (l *Listener) MayHaveEnded(id int64, while time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endedBelow >= id || time.Since(l.endedAt) >= while
}

// Subscription returns the state of a table's notifications.
func (l *Listener) Subscription(table string) Subscription {
	return l.update(table, func(*Subscription) {})
}

// update changes the state of a table's notifications, and returns the one before.
func (l *Listener) update(table string, change func(*Subscription)) Subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.subscriptions[table]
	if s == nil {
		s = &Subscription{}
		l.subscriptions[table] = s
	}
	before := *s
	change(s)
	return before
}
