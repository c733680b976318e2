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

// urlVar names a server to measure on. The role must be a superuser's, who may
// make databases and say CHECKPOINT.
const urlVar = "PGMQ_BENCH_DATABASE_URL"

// settings are those of a server that is started: durable, and with room so that
// a piece is not cut in two by a checkpoint.
var settings = []string{
	"fsync=on",
	"synchronous_commit=on",
	"full_page_writes=on",
	"max_connections=300",
	"shared_buffers=1GB",
	"max_wal_size=8GB",
}

// shown are the settings that are told with the results.
var shown = []string{
	"server_version", "fsync", "synchronous_commit", "full_page_writes",
	"shared_buffers", "max_wal_size", "checkpoint_timeout", "autovacuum_naptime",
}

// server is the one Postgres that all systems share.
type server struct {
	*postgres.Server
	conns   int32       // of each pool
	control *pgx.Conn   // in no database that is measured
	process *postmaster // nil where its CPU cannot be seen
}

func startServer(ctx context.Context, dsn string, conns int, careless bool) (*server, error) {
	how := settings
	if careless {
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

// describe returns the settings that matter.
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

// do runs a statement that names databases.
func (s *server) do(ctx context.Context, sql string, names ...string) error {
	for _, name := range names {
		sql = strings.Replace(sql, "?", pgx.Identifier{name}.Sanitize(), 1)
	}
	_, err := s.control.Exec(ctx, sql)
	return err
}

// template makes a database that has the tables of a system, for database to copy.
func (s *server) template(ctx context.Context, system *system) error {
	name := templateName(system)
	if err := s.do(ctx, `DROP DATABASE IF EXISTS ? WITH (FORCE)`, name); err != nil {
		return err
	}
	if err := s.do(ctx, `CREATE DATABASE ?`, name); err != nil {
		return err
	}
	pool, err := s.pool(ctx, name, 4, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	return system.install(ctx, pool)
}

func templateName(system *system) string { return "pgmq_bench_template_" + system.name }

// database is a fresh one for a piece.
type database struct {
	pools
	server *server
	name   string
}

// database makes a database with the tables of a system, and pools for it. So
// every piece begins with the same files, and with none of another's dead rows.
func (s *server) database(ctx context.Context, system *system, queues int) (*database, error) {
	d := &database{server: s, name: "pgmq_bench_" + system.name}
	if err := s.do(ctx, `DROP DATABASE IF EXISTS ? WITH (FORCE)`, d.name); err != nil {
		return nil, err
	}
	if err := s.do(ctx, `CREATE DATABASE ? TEMPLATE ?`, d.name, templateName(system)); err != nil {
		return nil, err
	}
	var err error
	if d.pools.send, err = s.pool(ctx, d.name, s.conns, queues); err != nil {
		return nil, err
	}
	d.pools.consume, err = s.pool(ctx, d.name, s.conns, queues)
	return d, err
}

// drop removes the database, whatever still uses it.
func (d *database) drop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := d.server.do(ctx, `DROP DATABASE IF EXISTS ? WITH (FORCE)`, d.name)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		d.pools.send.Close()
		d.pools.consume.Close()
	}()
	select {
	case <-closed:
	case <-ctx.Done():
		err = errors.Join(err, errors.New("somebody does not give back a connection"))
	}
	return err
}

// pool keeps room for the statements of that many queues.
func (s *server) pool(ctx context.Context, database string, conns int32, queues int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(s.in(database))
	if err != nil {
		return nil, err
	}
	config.MaxConns = conns
	config.ConnConfig.StatementCacheCapacity = max(512, 8*queues)
	return pgxpool.NewWithConfig(ctx, config)
}

// in returns the DSN of another database. It holds the password.
func (s *server) in(database string) string {
	if dsn, err := url.Parse(s.URL); err == nil && dsn.Scheme != "" {
		dsn.Path = "/" + database
		return dsn.String()
	}
	return s.URL + " dbname=" + database
}

// settle has the database as a quiet one would be: vacuumed, with statistics, and
// with no checkpoint due.
func (d *database) settle(ctx context.Context) error {
	return do(ctx, d.pools.send, `VACUUM (ANALYZE)`, `CHECKPOINT`)
}
