package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// urlVar is the environment variable with the URL of the server to measure on. Its
// role must be a superuser, which may create databases and run CHECKPOINT.
const urlVar = "PGMQ_BENCH_DATABASE_URL"

// settings are those of a server that the bench starts. It is durable, and can run a
// piece without a checkpoint; the plan runs one before each round.
var settings = []string{
	"fsync=on",
	"synchronous_commit=on",
	"full_page_writes=on",
	"max_connections=300",
	"max_locks_per_transaction=256", // for a thousand queues at once
	"shared_buffers=1GB",
	"max_wal_size=8GB",
	"checkpoint_timeout=30min",
}

// shown are the settings that the report lists.
var shown = []string{
	"server_version", "fsync", "synchronous_commit", "full_page_writes",
	"shared_buffers", "max_wal_size", "checkpoint_timeout", "autovacuum_naptime",
}

// server is the one Postgres that all systems share.
type server struct {
	*postgres.Server
	conns   int32       // of each pool
	control *pgx.Conn   // to a database that is not measured
	process *postmaster // nil when its CPU cannot be read
}

func startServer(ctx context.Context, dsn string, conns int, withoutFsync bool) (*server, error) {
	how := settings
	if withoutFsync {
		how = append(how, "fsync=off")
	}
	found, err := postgres.Find(ctx, cmp.Or(dsn, os.Getenv(urlVar)), how...)
	if err != nil {
		return nil, err
	}
	s := &server{Server: found, conns: int32(conns)}
	s.control, err = pgx.Connect(ctx, s.URL)
	if err != nil {
		_ = found.Stop()
		return nil, fmt.Errorf("connect to %s: %w", postgres.Redact(s.URL), err)
	}
	s.process = findPostmaster(ctx, s.control)
	return s, nil
}

func (s *server) stop() error {
	s.control.Close(context.Background())
	return s.Stop()
}

// describe returns the shown settings with their values.
func (s *server) describe(ctx context.Context) ([]string, error) {
	var lines []string
	for _, name := range shown {
		var value string
		if err := s.control.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value); err != nil {
			return nil, err
		}
		lines = append(lines, name+" = "+value)
	}
	return lines, nil
}

// do runs a statement after replacing each ? by the quoted name of a database.
func (s *server) do(ctx context.Context, sql string, names ...string) error {
	for _, name := range names {
		sql = strings.Replace(sql, "?", pgx.Identifier{name}.Sanitize(), 1)
	}
	_, err := s.control.Exec(ctx, sql)
	return err
}

// install creates a system's database, with its tables.
func (s *server) install(ctx context.Context, system *system) error {
	if err := s.uninstall(ctx, system); err != nil {
		return err
	}
	if err := s.do(ctx, `CREATE DATABASE ?`, databaseName(system)); err != nil {
		return err
	}
	pool, err := s.pool(ctx, databaseName(system), 4, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	return system.install(ctx, pool)
}

func (s *server) uninstall(ctx context.Context, system *system) error {
	return s.do(ctx, `DROP DATABASE IF EXISTS ? WITH (FORCE)`, databaseName(system))
}

func databaseName(system *system) string { return "pgmq_bench_" + system.name }

// database is the database of a system, opened for one piece.
type database struct {
	pools
	server *server
	name   string
}

// open returns a system's database, reset to the state after install.
func (s *server) open(ctx context.Context, system *system, queues int) (*database, error) {
	d := &database{server: s, name: databaseName(system)}
	var err error
	if d.send, err = s.pool(ctx, d.name, s.conns, queues); err != nil {
		return nil, err
	}
	if d.consume, err = s.pool(ctx, d.name, s.conns, queues); err != nil {
		return nil, err
	}
	return d, do(ctx, d.send, system.reset)
}

// close closes the pools. It terminates connections that are not released within
// 10 s, because the piece failed.
func (d *database) close() error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		d.send.Close()
		d.consume.Close()
	}()
	select {
	case <-closed:
		return nil
	case <-time.After(10 * time.Second):
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := d.server.control.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, d.name)
	return errors.Join(errors.New("connections had to be terminated"), err)
}

// vacuum leaves the tables as in a quiet database: vacuumed, with statistics, and
// with no checkpoint due.
func (d *database) vacuum(ctx context.Context) error {
	return do(ctx, d.send, `VACUUM (ANALYZE)`, `CHECKPOINT`)
}

// pool opens a pool whose connections can cache the statements of all queues.
func (s *server) pool(ctx context.Context, database string, conns int32, queues int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(s.in(database))
	if err != nil {
		return nil, err
	}
	config.MaxConns = conns
	config.ConnConfig.StatementCacheCapacity = max(512, 8*queues)
	return pgxpool.NewWithConfig(ctx, config)
}

// in returns the DSN of another database. It contains the password.
func (s *server) in(database string) string {
	if dsn, err := url.Parse(s.URL); err == nil && dsn.Scheme != "" {
		dsn.Path = "/" + database
		return dsn.String()
	}
	return s.URL + " dbname=" + database
}
