// Package dial connects a command to the database of a DSN, and explains a failure in one
// line.
package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// timeout is how long a server may take to answer at first.
const timeout = 10 * time.Second

// Parse returns how to reach the database of a DSN, also from the PG* variables.
// Its error does not show the password.
//
// Unless the DSN names a default_query_exec_mode, sessions get no prepared
// statement: behind a pooler that we have not detected, another program would find it
// there, and fail.
func Parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx redacts too, but it may miss a password in a DSN that does not parse.
		return nil, fmt.Errorf("%q is no database URL; it looks like postgres://user:password@host:5432/database", postgres.Redact(url))
	}
	if !NamesExecMode(url) {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	config.ConnConfig.RuntimeParams["datestyle"] = "ISO" // of times as text, pgx and goose know no other
	config.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	return config, nil
}

// NamesExecMode reports whether a DSN has a default_query_exec_mode.
func NamesExecMode(url string) bool {
	// pgxpool removes its own settings; pgconn keeps unknown ones.
	settings, err := pgconn.ParseConfig(url)
	if err != nil {
		return false
	}
	_, named := settings.RuntimeParams["default_query_exec_mode"]
	return named
}

// Pool returns a pool whose server has answered.
func Pool(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	answered, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := pool.Ping(answered); err != nil {
		pool.Close()
		return nil, fmt.Errorf("no answer from %s: %w", place(config.ConnConfig), Cause(err))
	}
	return pool, nil
}

// place names a database without its password.
func place(c *pgx.ConnConfig) string {
	return fmt.Sprintf("database %q on %s:%d as %q", c.Database, c.Host, c.Port, c.User)
}

// Cause returns the reason at the bottom of a failure to connect. pgx reports every
// address that it tried, with and without TLS; the last one counts.
func Cause(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // walks down the chain itself
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			err = all[len(all)-1]
		case *net.OpError, *net.DNSError, *pgconn.PgError:
			return err
		default:
			below := errors.Unwrap(err)
			if below == nil {
				return err
			}
			err = below
		}
	}
}
