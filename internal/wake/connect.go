package wake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/table"
)

// errPooler means that a pooler hands each transaction to another session.
var errPooler = errors.New("notifications do not arrive through this connection pooler")

// connect makes the listening connection as the pool makes its own, but beside
// the pool: it takes none of the pool's places, and does not wait for one.
func connect(ctx context.Context, pool table.Pool) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerTimeout)
	defer cancel()
	config := pool.Config()
	connConfig := config.ConnConfig
	connConfig.OnNotification = nil // else WaitForNotification would not return them
	// An interrupted wait must leave the connection usable.
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
		err = prepare(ctx, config, conn)
	}
	if err == nil {
		err = listen(ctx, conn, pool)
	}
	if err != nil {
		closeConn(ctx, conn)
		return nil, err
	}
	return conn, nil
}

// errReadOnly means that nobody notifies on this server: it is a standby by now, or was
// told not to write.
var errReadOnly = errors.New("the server of the listening connection is read-only; another connection may lead to the one that writes")

// check returns an error if the connection no longer receives notifications.
func check(ctx context.Context, conn *pgx.Conn) error {
	var readOnly bool
	err := conn.QueryRow(ctx, "SELECT current_setting('transaction_read_only')::boolean").Scan(&readOnly)
	if err == nil && readOnly {
		err = errReadOnly
	}
	return err
}

// prepare runs the hook by which a pool prepares a connection for its caller.
func prepare(ctx context.Context, config *pgxpool.Config, conn *pgx.Conn) error {
	usable := true
	var err error
	switch {
	case config.PrepareConn != nil:
		usable, err = config.PrepareConn(ctx, conn)
	case config.BeforeAcquire != nil: //nolint:staticcheck // applications still set it
		usable = config.BeforeAcquire(ctx, conn) //nolint:staticcheck // the same
	}
	if err == nil && !usable {
		err = errors.New("the pool's hook refused the listening connection")
	}
	return err
}

// listen runs LISTEN, if notifications will arrive on this connection.
func listen(ctx context.Context, conn *pgx.Conn, pool table.Pool) error {
	if err := check(ctx, conn); err != nil {
		return err
	}
	var session uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&session); err != nil {
		return err
	}
	// A pooler invents the process id that it gives to its clients.
	if session != conn.PgConn().PID() {
		if err := keepsSession(ctx, conn, pool); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, fmt.Sprintf(`SET lock_timeout = '%s'; LISTEN %s`, lockTimeout, pgx.Identifier{channel}.Sanitize()))
	return err
}

// keepsSession returns errPooler when a pooler does not keep a session for this
// connection.
func keepsSession(ctx context.Context, conn *pgx.Conn, pool table.Pool) error {
	// If the pooler hands this session to another connection, a LISTEN would stay
	// behind there.
	for range 3 {
		var mine, others uint32
		if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&mine); err != nil {
			return err
		}
		if err := pool.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&others); err != nil {
			return err
		}
		if mine == others {
			return errPooler
		}
	}
	// It did not this time. To be sure, notify the session from another one.
	echo := "pgmq.echo." + rand.Text()
	quoted := pgx.Identifier{echo}.Sanitize()
	session, err := inSession(ctx, conn, "LISTEN "+quoted)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, "SELECT pg_notify($1, '')", echo)
	if err == nil {
		waiting, cancel := context.WithTimeout(ctx, 2*time.Second)
		if _, silent := conn.WaitForNotification(waiting); silent != nil {
			err = fmt.Errorf("%w: %w", errPooler, silent)
		}
		cancel()
	}
	return errors.Join(err, unlisten(ctx, conn, quoted, session))
}

// unlisten takes back a LISTEN of a session. A pooler may answer with another
// session, so it goes on until the right one answers, even after ctx has ended.
func unlisten(ctx context.Context, conn *pgx.Conn, quoted, session string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		answered, err := inSession(ctx, conn, "UNLISTEN "+quoted)
		if err != nil || answered == session {
			return err
		}
		if !generics.Sleep(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// inSession runs a statement and returns the process id of the session that ran it.
func inSession(ctx context.Context, conn *pgx.Conn, sql string) (session string, err error) {
	results, err := conn.PgConn().Exec(ctx, sql+"; SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return "", err
	}
	return string(results[len(results)-1].Rows[0][0]), nil
}

// closeConn closes a connection, with a message to the server if that is quick.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
