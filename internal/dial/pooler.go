package dial

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pooler is the kind of pooler between a program and its server.
type Pooler int

const (
	// NoPooler is a direct connection.
	NoPooler Pooler = iota
	// ByConnection is a pooler that seems to keep one session for each connection.
	ByConnection
	// ByTransaction is a pooler that hands each transaction to another session.
	ByTransaction
)

// poolerTime limits the search for a pooler, which may have no second session.
const poolerTime = 3 * time.Second

// PoolerOf finds out whether a pooler is between the program and the server. A
// pooler makes up the process id that it reports to its clients.
func PoolerOf(ctx context.Context, pool *pgxpool.Pool) (Pooler, error) {
	ctx, cancel := context.WithTimeout(ctx, poolerTime)
	defer cancel()
	first, err := pool.Acquire(ctx)
	if err != nil {
		return NoPooler, err
	}
	defer first.Release()
	session, err := backend(ctx, first.Conn())
	if err != nil {
		return NoPooler, err
	}
	if session == first.Conn().PgConn().PID() {
		return NoPooler, nil
	}
	// The first connection is still open. If another one has its session, the pooler
	// shares sessions.
	for range 3 {
		other, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
		if err != nil {
			break
		}
		defer closeConn(ctx, other)
		if _, err := other.Exec(ctx, "BEGIN"); err != nil { // it keeps this session, so that the next connection gets another
			break
		}
		switch same, err := backend(ctx, other); {
		case err != nil:
			return ByConnection, nil // as far as is known
		case same == session:
			return ByTransaction, nil
		}
	}
	return ByConnection, nil
}

// backend returns the process id of the session that answers.
func backend(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid)
	return pid, err
}

func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
