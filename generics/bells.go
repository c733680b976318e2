package generics

import (
	"slices"
	"sync"
)

// Bells wakes goroutines that wait for a key, one at a time and in the order in
// which they came. The zero value is ready. It must not be copied after use.
type Bells[K comparable] struct {
	mu      sync.Mutex
	waiters map[K][]*Waiter[K] // the longest waiting first; no key without one
}

// Waiter is a place in the queue for one ring.
type Waiter[K comparable] struct {
	// C receives once when the waiter is rung, and is closed by RingAll.
	C <-chan struct{}

	bells *Bells[K]
	key   K
	rung  chan struct{} // C; it has room for the ring
}

// Wait queues up for the key's next ring and returns at once. Its caller then
// looks once for what the ring would tell of, so as not to miss what came
// before, waits for C, and calls Stop in every case.
func (b *Bells[K]) Wait(key K) *Waiter[K] {
	rung := make(chan struct{}, 1)
	w := &Waiter[K]{C: rung, bells: b, key: key, rung: rung}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiters == nil {
		b.waiters = make(map[K][]*Waiter[K])
	}
	b.waiters[key] = append(b.waiters[key], w)
	return w
}

// Stop leaves the queue. If the waiter was rung and nobody has received from C,
// Stop rings the key's next waiter in its place, so that no ring is lost while
// somebody waits. A ring that was received was used; one of RingAll is not
// passed on, for the others have theirs. Stopping twice is harmless.
func (w *Waiter[K]) Stop() {
	b := w.bells
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiters[w.key], w); i >= 0 {
		b.remove(w.key, i)
		return
	}
	select {
	case _, passOn := <-w.rung: // false when RingAll closed it
		if passOn {
			b.ring(w.key)
		}
	default:
	}
}

// Ring wakes the waiter that has waited longest for the key, for good: each
// waiter is rung once. It returns false when there is none; such a ring is not
// kept for later.
func (b *Bells[K]) Ring(key K) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ring(key)
}

// RingAll wakes every waiter of every key.
func (b *Bells[K]) RingAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, waiters := range b.waiters {
		for _, w := range waiters {
			close(w.rung)
		}
	}
	clear(b.waiters)
}

// Waiting returns how many wait for the key and have not been rung.
func (b *Bells[K]) Waiting(key K) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiters[key])
}

// ring is Ring for a caller that holds mu.
func (b *Bells[K]) ring(key K) bool {
	if len(b.waiters[key]) == 0 {
		return false
	}
	b.waiters[key][0].rung <- struct{}{} // never blocks: a waiter is rung once
	b.remove(key, 0)
	return true
}

// remove takes the i-th waiter of the key out of the queue.
func (b *Bells[K]) remove(key K, i int) {
	b.waiters[key] = slices.Delete(b.waiters[key], i, i+1)
	if len(b.waiters[key]) == 0 {
		delete(b.waiters, key)
	}
}
