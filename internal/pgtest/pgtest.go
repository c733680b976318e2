package pgtest

import (
	"context"
	"errors"
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
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
)

var (
	server   string        // DSN of the server, set by Main
	template string        // name of a migrated database that nobody is connected to, set by Main
	pool     *pgxpool.Pool // of this binary's own database, set by Main
	sequence atomic.Int64  // makes names unique
)

// statementTimeout, in ms, keeps a statement that waits for a lock from holding up
// a test for ever.
const statementTimeout = "300000"

// Main runs a test binary with a server and a migrated database of its own,
// which it drops afterwards. Use it as os.Exit(pgtest.Main(m, nil)).
func Main(m *testing.M, docker Docker) int {
	code, err := run(m, docker)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	return code
}

func run(m *testing.M, docker Docker) (code int, err error) {
	starting, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	url, stop, err := Server(starting, docker, Careless)
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	server = url
	done, err := takeTurn()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", postgres.Redact(server), err)
	}
	defer done()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var dropTemplate func()
	template, dropTemplate, err = createDatabase(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", postgres.Redact(server), err)
	}
	defer dropTemplate()
	if err := migrateTemplate(ctx); err != nil {
		return 0, err
	}
	name, drop, err := createDatabase(ctx, fromTemplate())
	if err != nil {
		return 0, err
	}
	defer drop()
	pool, err = connect(ctx, name)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	return m.Run(), nil
}

// turn is the advisory lock of the test binary that runs on a server.
const turn = 5_907_213_306

// takeTurn waits until no other test binary runs on the server. So go test can build
// some while it runs one. A waiting binary holds no transaction: tests look for old ones.
func takeTurn() (done func(), err error) {
	ctx := context.Background() // go test has a limit
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return nil, err
	}
	for first := false; !first; {
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(turn)).Scan(&first); err != nil {
			return nil, errors.Join(err, conn.Close(ctx))
		}
		if !first {
			time.Sleep(100 * time.Millisecond)
		}
	}
	return func() { _ = conn.Close(ctx) }, nil
}

// Pool returns the pool of this binary's database.
func Pool() *pgxpool.Pool { return pool }

// URL returns the DSN of a database on the server of the tests. It holds the password.
func URL(database string) string {
	dsn, err := url.Parse(server)
	if err != nil {
		panic("the DSN of the tests must be a URL") // a test's own set-up
	}
	dsn.Path = "/" + database
	return dsn.String()
}

// Name returns a queue name that nothing else uses.
func Name() string {
	return fmt.Sprintf("test_%d", sequence.Add(1))
}

// Queue makes a fresh queue with bodies T. It is dropped when the test ends.
func Queue[T any](t testing.TB, opts ...admin.CreateOption) *queue.Queue[T] {
	t.Helper()
	return Named[T](t, Name(), opts...)
}

// Named is Queue with a name of the test's choice.
func Named[T any](t testing.TB, name string, opts ...admin.CreateOption) *queue.Queue[T] {
	t.Helper()
	if err := admin.Create(t.Context(), pool, name, opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Drop(context.Background(), pool, name) })
	q, err := queue.New[T](pool, name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Database makes an empty database, without schema pgmq, and returns a pool of
// it. It is dropped when the test ends.
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
	t.Cleanup(func() { Close(p) })
	return p
}

// Migrated is Database with the schema. It is a copy of a migrated database, which
// takes a tenth of the time of the migrations.
func Migrated(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return Database(t, fromTemplate())
}

func fromTemplate() string { return "TEMPLATE " + pgx.Identifier{template}.Sanitize() }

func migrateTemplate(ctx context.Context) error {
	p, err := connect(ctx, template)
	if err != nil {
		return err
	}
	defer p.Close()
	return migrate(ctx, p)
}

// Migrate installs the schema in a pool's database.
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
	onServer := func(ctx context.Context, sql string) error {
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, sql)
		return err
	}
	id := pgx.Identifier{name}.Sanitize()
	if err := onServer(ctx, "CREATE DATABASE "+id+" "+strings.Join(options, " ")); err != nil {
		return "", nil, err
	}
	drop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = onServer(ctx, "DROP DATABASE IF EXISTS "+id+" WITH (FORCE)")
	}
	if err := onServer(ctx, "ALTER DATABASE "+id+" SET statement_timeout = "+statementTimeout); err != nil {
		drop()
		return "", nil, err
	}
	return name, drop, nil
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

// Close closes a pool. It does not wait for connections that a test which failed
// has not given back.
func Close(p *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		p.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
	}
}
