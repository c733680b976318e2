package engine

import (
	"context"
	"sync"
	"time"
)

// debts are messages that are to be given back uncounted after their leases were lost.
// Fetching waits for them, for a while: this consumer itself would count the read.
type debts struct {
	mu   sync.Mutex
	n    int
	paid chan struct{} // closed when n is 0 again
}

// add notes n messages more. The returned function notes that they are given back.
func (d *debts) add(n int) (pay func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n == 0 {
		return func() {}
	}
	if d.n == 0 {
		d.paid = make(chan struct{})
	}
	d.n += n
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.n -= n; d.n == 0 {
			close(d.paid)
		}
	}
}

// await waits until there are none, at most for a while.
func (d *debts) await(ctx context.Context, most time.Duration) {
	d.mu.Lock()
	paid, none := d.paid, d.n == 0
	d.mu.Unlock()
	if none {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-paid:
	case <-timer.C:
	case <-ctx.Done():
	}
}
