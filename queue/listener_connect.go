package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// errUnheard is the fault of a pooler that hands each transaction to another
// session.
var errUnheard = errors.New("notifications do not arrive through this connection pooler")

// connect makes the listening connection as the pool makes its own, but beside
// the pool: it takes no place there, and does not wait for one.
func (l *listener) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerTime)
	defer cancel()
	config := l.pool.Config()
	connConfig := config.ConnConfig
	connConfig.OnNotification = nil // else WaitForNotification would not return them
	// A wait that is interrupted must leave the connection as it is.
	connConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
	if config.BeforeConnect != nil {
		if err := config.BeforeConnect(ctx, connConfig); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, connConfig)
	if err != nil {
		return nil, err
	}
	if config.AfterConnect != nil {
		err = config.AfterConnect(ctx, conn)
	}
	if err == nil {
		err = l.prepare(ctx, conn)
	}
	if err != nil {
		hangUp(ctx, conn)
		return nil, err
	}
	return conn, nil
}

// prepare has a connection listen, if what it hears will reach us.
func (l *listener) prepare(ctx context.Context, conn *pgx.Conn) error {
	var session uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&session); err != nil {
		return err
	}
	// A pooler makes up the number that it gives to its clients.
	if session != conn.PgConn().PID() {
		if err := l.hears(ctx, conn); err != nil {
			return err
		}
	}
	// A row lock of somebody else must not keep it from hearing.
	_, err := conn.Exec(ctx, fmt.Sprintf(`SET lock_timeout = '2s'; LISTEN %s`, pgx.Identifier{wakeChannel}.Sanitize()))
	return err
}

// hears tells whether a session keeps what it listens to.
func (l *listener) hears(ctx context.Context, conn *pgx.Conn) error {
	// The pooler may hand this session to another connection: then it is no
	// place for a LISTEN, which would stay behind there.
	for range 3 {
		var mine, others uint32
		if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&mine); err != nil {
			return err
		}
		if err := l.pool.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&others); err != nil {
			return err
		}
		if mine == others {
			return errUnheard
		}
	}
	// It did not, but might have. So call the session from another one.
	echo := "pgmq.echo." + rand.Text()
	channel := pgx.Identifier{echo}.Sanitize()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	if _, err := l.pool.Exec(ctx, "SELECT pg_notify($1, '')", echo); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 2*time.Second)
	_, err := conn.WaitForNotification(waiting)
	cancel()
	if _, failed := conn.Exec(ctx, "UNLISTEN "+channel); failed != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUnheard, err)
	}
	return nil
}

// hangUp closes a connection, politely if that is quick.
func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// sleep waits for d, and tells whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
