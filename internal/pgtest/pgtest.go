package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/schema"
)

var (
	server   string        // the DSN of the server, set by Main
	pool     *pgxpool.Pool // the pool of this binary's database, set by Main
	sequence atomic.Int64  // makes names unique
)

// Main runs a test binary with a server and a new migrated database, and drops the
// database afterwards. Use it as os.Exit(pgtest.Main(m, nil)).
func Main(m *testing.M, docker Docker) int {
	code, err := run(m, docker)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	return code
}

func run(m *testing.M, docker Docker) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	url, stop, err := Server(ctx, docker, Careless)
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	server = url

	name, drop, err := createDatabase(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", postgres.Redact(server), err)
	}
	defer drop()
	pool, err = connect(ctx, name)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	if err := migrate(ctx, pool); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// Pool returns the pool of this binary's database.
func Pool() *pgxpool.Pool { return pool }

// URL returns the DSN of a database on the tests' server. It contains the password.
func URL(database string) string {
	dsn, err := url.Parse(server)
	if err != nil {
		panic("the DSN of the tests must be a URL") // a mistake in the test's set-up
	}
	dsn.Path = "/" + database
	return dsn.String()
}

// Name returns a new queue name.
func Name() string {
	return fmt.Sprintf("test_%d", sequence.Add(1))
}

// Queue creates a queue with bodies of type T, and drops it when the test ends.
func Queue[T any](t testing.TB, opts ...queue.CreateOption) *queue.Queue[T] {
	t.Helper()
	return Named[T](t, Name(), opts...)
}

// Named is Queue with a given name.
func Named[T any](t testing.TB, name string, opts ...queue.CreateOption) *queue.Queue[T] {
	t.Helper()
	if err := queue.Create(t.Context(), pool, name, opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Drop(context.Background(), pool, name) })
	q, err := queue.New[T](pool, name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Database creates an empty database, without schema pgmq, and returns a pool on it.
// It drops the database when the test ends. options are those of CREATE DATABASE.
func Database(t testing.TB, options ...string) *pgxpool.Pool {
	t.Helper()
	name, drop, err := createDatabase(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(drop)
	p, err := connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Migrate installs schema pgmq in a pool's database.
func Migrate(t testing.TB, p *pgxpool.Pool) {
	t.Helper()
	if err := migrate(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func migrate(ctx context.Context, p *pgxpool.Pool) error {
	db := stdlib.OpenDBFromPool(p)
	defer db.Close()
	return schema.Migrate(ctx, db)
}

func createDatabase(ctx context.Context, options ...string) (name string, drop func(), err error) {
	name = fmt.Sprintf("pgmq_test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), sequence.Add(1))
	admin := func(ctx context.Context, sql string) error {
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, sql)
		return err
	}
	id := pgx.Identifier{name}.Sanitize()
	if err := admin(ctx, "CREATE DATABASE "+id+" "+strings.Join(options, " ")); err != nil {
		return "", nil, err
	}
	return name, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = admin(ctx, "DROP DATABASE IF EXISTS "+id+" WITH (FORCE)")
	}, nil
}

func connect(ctx context.Context, database string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(server)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.Database = database
	config.MaxConns = 16
	return pgxpool.NewWithConfig(ctx, config)
}
