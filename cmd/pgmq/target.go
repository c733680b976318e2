package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// dialTimeout is how long a server may take to answer at first.
const dialTimeout = 10 * time.Second

// target is the database that a command is pointed at.
type target struct {
	flag string
}

// url returns the DSN from --database-url, else DATABASE_URL; "" for neither.
func (t target) url() string {
	if t.flag != "" {
		return t.flag
	}
	return os.Getenv("DATABASE_URL")
}

// config returns how to reach the database, also from the PG* variables.
func (t target) config() (*pgxpool.Config, error) {
	url := t.url()
	if url == "" && os.Getenv("PGHOST")+os.Getenv("PGDATABASE")+os.Getenv("PGSERVICE") == "" {
		return nil, errors.New("no database: pass --database-url or set DATABASE_URL")
	}
	return parse(url)
}

func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx redacts too, but what does not parse it cannot redact for sure.
		return nil, fmt.Errorf("%q is no database URL; it looks like postgres://user:password@host:5432/database", postgres.Redact(url))
	}
	return config, nil
}

// pool returns a pool whose server has answered.
func (t target) pool(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := t.config()
	if err != nil {
		return nil, err
	}
	return dial(ctx, config)
}

func dial(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	answered, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := pool.Ping(answered); err != nil {
		pool.Close()
		return nil, fmt.Errorf("no answer from %s: %w", place(config.ConnConfig), cause(err))
	}
	return pool, nil
}

// db is pool for goose, which speaks database/sql. settings are for its sessions.
func (t target) db(ctx context.Context, settings map[string]string) (db *sql.DB, closeAll func(), err error) {
	config, err := t.config()
	if err != nil {
		return nil, nil, err
	}
	for name, value := range settings {
		config.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := dial(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	db = stdlib.OpenDBFromPool(pool)
	return db, func() { db.Close(); pool.Close() }, nil
}

// place names a database without its password.
func place(c *pgx.ConnConfig) string {
	return fmt.Sprintf("database %q on %s:%d as %q", c.Database, c.Host, c.Port, c.User)
}

// cause returns the reason at the bottom of a failure to connect: pgx tells of
// every address that it tried, with and without TLS. The last one counts.
func cause(err error) error {
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
