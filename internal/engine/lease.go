package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrLeaseLost is the reason of a lease that no longer holds.
var ErrLeaseLost = errors.New("lease lost")

func leaseLost(why string) error { return fmt.Errorf("%w: %s", ErrLeaseLost, why) }

// errMaxLease is a lease that is lost because its handler has taken too long.
var errMaxLease = leaseLost("its MaxLease is over")

// leases are the messages that an engine holds. Every goroutine of the engine uses
// them; mu guards them and each delivery's lease.
type leases struct {
	vt, maxLease time.Duration

	mu   sync.Mutex
	held map[*Delivery]struct{}
}

// until returns when a lease ends that was asked for at a time: a little before
// another reader can have the message.
func (l *leases) until(asked time.Time) time.Time { return asked.Add(l.vt - l.vt/leaseMargin) }

// expired is why a lease was lost that nobody extended. The caller holds mu.
func (l *leases) expired(d *Delivery) error {
	if d.lease.stage == stageHandling && time.Since(d.lease.since) >= l.maxLease {
		return errMaxLease
	}
	return leaseLost("it was not extended in time")
}

// add begins leases that were asked for at a time.
func (l *leases) add(deliveries []*Delivery, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[*Delivery]struct{}{}
	}
	for _, d := range deliveries {
		d.lease.until = l.until(asked)
		l.held[d] = struct{}{}
	}
}

// remove ends leases.
func (l *leases) remove(deliveries []*Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range deliveries {
		delete(l.held, d)
	}
}

// move brings deliveries to a stage; cancel ends their handler's ctx.
func (l *leases) move(deliveries []*Delivery, to stage, cancel context.CancelCauseFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range deliveries {
		d.lease.stage, d.lease.since, d.lease.cancel = to, time.Now(), cancel
	}
}

// lose notes that a lease no longer holds, and ends its handler's ctx. Why is nil
// when nobody extended it. While a delivery is settled the statement decides instead.
func (l *leases) lose(d *Delivery, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held := l.held[d]; !held || d.lease.stage == stageSettling || d.lease.lost != nil {
		return
	}
	if why == nil {
		why = l.expired(d)
	}
	d.lease.lost = why
	if d.lease.cancel != nil {
		d.lease.cancel(why)
	}
}

// whyLost returns why a lease no longer holds; nil while it does.
func (l *leases) whyLost(d *Delivery) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return d.lease.lost
}

// over reports whether the time of a lease is over.
func (l *leases) over(d *Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !time.Now().Before(d.lease.until)
}

// extended notes that leases were extended at a time.
func (l *leases) extended(deliveries []*Delivery, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range deliveries {
		d.lease.until = l.until(asked)
	}
}

// extensible returns the deliveries whose leases are to be extended: those that
// wait for a worker, and those that a handler has had for less than MaxLease.
func (l *leases) extensible(now time.Time) []*Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := now.Add(-l.maxLease)
	var deliveries []*Delivery
	for d := range l.held {
		h := d.lease
		if h.lost == nil && (h.stage == stageWaiting || h.stage == stageHandling && h.since.After(oldest)) {
			deliveries = append(deliveries, d)
		}
	}
	return deliveries
}

// expire loses the leases whose time is over. It returns the time until the next
// one ends, at most a VT.
func (l *leases) expire(now time.Time) time.Duration {
	var expired []*Delivery
	next := l.vt
	l.mu.Lock()
	for d := range l.held {
		if d.lease.lost != nil || d.lease.stage == stageSettling {
			continue
		}
		if left := d.lease.until.Sub(now); left > 0 {
			next = min(next, left)
		} else {
			expired = append(expired, d)
		}
	}
	l.mu.Unlock()
	for _, d := range expired {
		l.lose(d, nil)
	}
	return next
}
