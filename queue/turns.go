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
	mostTurns = 4
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
