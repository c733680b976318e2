package queue

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// mostTurns is how many consumers of a pool run a short statement at once.
	// With many queues, few connections know the statements of all, where many
	// would each have to prepare and plan them.
	mostTurns = 8
	// shortTime is how long a turn lasts at most: who takes longer, for a lock or a
	// table that is dear to read, does not hold up the others.
	shortTime = 100 * time.Millisecond
)

// acquire returns a connection of the pool when it is one's turn.
func (l *listener) acquire(ctx context.Context) (_ *pgxpool.Conn, release func(), _ error) {
	select {
	case l.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	end := sync.OnceFunc(func() { <-l.turns })
	overdue := time.AfterFunc(shortTime, end)
	pass := func() {
		overdue.Stop()
		end()
	}
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		pass()
		return nil, nil, err
	}
	return conn, func() {
		conn.Release()
		pass()
	}, nil
}

// saw notes that all transactions before an id have ended, which holds for the
// queues of all consumers.
func (l *listener) saw(ended int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.told = max(l.ended, ended), time.Now()
}

// mayHaveEnded tells whether the transactions before an id may have ended by now:
// they have, or nobody has seen for a while how far it is.
func (l *listener) mayHaveEnded(id int64, while time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended >= id || time.Since(l.told) >= while
}
