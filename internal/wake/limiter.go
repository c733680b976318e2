package wake

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Limiter lets a number of callers in at once.
type Limiter chan struct{}

// Enter waits for a slot. The caller calls leave once or more often.
func (l Limiter) Enter(ctx context.Context) (leave func(), err error) {
	select {
	case l <- struct{}{}:
		return sync.OnceFunc(func() { <-l }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Acquire returns a connection of the pool, for a short statement, when a slot is
// free. The caller calls release.
func (l *Listener) Acquire(ctx context.Context) (_ *pgxpool.Conn, release func(), _ error) {
	leave, err := l.statements.Enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	overdue := time.AfterFunc(slotTime, leave)
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		overdue.Stop()
		leave()
		return nil, nil, err
	}
	return conn, func() {
		conn.Release()
		overdue.Stop()
		leave()
	}, nil
}
