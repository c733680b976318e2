package generics

import (
	"slices"
	"sync"
)

// Wakers wakes goroutines that wait for a key: one at a time, in the order in
// which they came. The zero value is ready. It must not be copied after use.
type Wakers[K comparable] struct {
	mu      sync.Mutex
	waiters map[K][]*Waiter[K] // the longest waiting first; no key has an empty list
}

// Waiter is a place in the line of those that wait for a key. It is woken once.
type Waiter[K comparable] struct {
	// C receives once when Wake chooses this waiter. WakeAll closes it.
	C <-chan struct{}

	wakers *Wakers[K]
	key    K
	woken  chan struct{} // the same channel as C, with room for one wake-up
}

// Wait adds a waiter to the key's line and returns at once. After Wait, the
// caller checks its condition once, as the event may have happened before.
// It then waits for C, and calls Stop in every case.
func (w *Wakers[K]) Wait(key K) *Waiter[K] {
	woken := make(chan struct{}, 1)
	waiter := &Waiter[K]{C: woken, wakers: w, key: key, woken: woken}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiters == nil {
		w.waiters = make(map[K][]*Waiter[K])
	}
	w.waiters[key] = append(w.waiters[key], waiter)
	return waiter
}

// Stop leaves the line. If the waiter was woken and nobody has received from C,
// Stop wakes the key's next waiter instead, so that no wake-up is lost while
// somebody waits. A wake-up by WakeAll is not passed on, for all the others have
// got theirs. A second Stop does nothing.
func (w *Waiter[K]) Stop() {
	all := w.wakers
	all.mu.Lock()
	defer all.mu.Unlock()
	if i := slices.Index(all.waiters[w.key], w); i >= 0 {
		all.remove(w.key, i)
		return
	}
	select {
	case _, unused := <-w.woken: // false when WakeAll closed it
		if unused {
			all.wake(w.key)
		}
	default:
	}
}

// Wake wakes the key's longest waiting waiter and takes it out of the line. It
// returns false when nobody waits; such a wake-up is not kept for later.
func (w *Wakers[K]) Wake(key K) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wake(key)
}

// WakeAll wakes every waiter of every key.
func (w *Wakers[K]) WakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, waiters := range w.waiters {
		for _, waiter := range waiters {
			close(waiter.woken)
		}
	}
	clear(w.waiters)
}

// Waiting returns the number of waiters that are in the key's line.
func (w *Wakers[K]) Waiting(key K) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiters[key])
}

// wake is Wake for a caller that holds mu.
func (w *Wakers[K]) wake(key K) bool {
	if len(w.waiters[key]) == 0 {
		return false
	}
	w.waiters[key][0].woken <- struct{}{} // never blocks: a waiter is woken once
	w.remove(key, 0)
	return true
}

// remove takes the i-th waiter out of the key's line. The caller holds mu.
func (w *Wakers[K]) remove(key K, i int) {
	w.waiters[key] = slices.Delete(w.waiters[key], i, i+1)
	if len(w.waiters[key]) == 0 {
		delete(w.waiters, key)
	}
}
