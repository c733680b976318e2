package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/pgerr"
)

// ErrName is wrapped by the error of a name that no queue can have.
var ErrName = errors.New("invalid queue name")

// Conn is a pool, a connection or a transaction.
type Conn interface {
	db.DBTX
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Pool is a *[pgxpool.Pool], or something that embeds one.
type Pool interface {
	Conn
	Acquire(ctx context.Context) (*pgxpool.Conn, error)
	Begin(ctx context.Context) (pgx.Tx, error)
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
	Config() *pgxpool.Config
	Reset()
}

// Bound is a named queue on a pool, a connection or a transaction.
type Bound struct {
	Name    string
	Table   *Table
	Conn    Conn    // itself
	DB      db.DBTX // runs generated queries on it, against the queue's own tables
	Indexed db.DBTX // the same for queries that find messages: see Table.Indexed
	Printed db.DBTX // the same for other queries that depend on a style: see Table.Printed
	// PerCaller says that the rights and visible rows of a session can depend on the ctx
	// of its caller.
	PerCaller bool
}

// Open returns the named queue on conn, without touching the database.
func Open(conn Conn, name string) (Bound, error) {
	if err := CheckName(name); err != nil {
		return Bound{}, fmt.Errorf("queue %q: %w: %w", name, ErrName, err)
	}
	b := Bound{Name: name, Table: New(name)}
	if err := supported(conn); err != nil {
		return Bound{}, b.Fail("open", err)
	}
	return b.On(conn), nil
}

// On returns the same queue on another pool, connection or transaction.
func (b Bound) On(conn Conn) Bound {
	b.Conn, b.DB, b.Indexed, b.Printed = conn, b.Table.Bind(conn), b.Table.Indexed(conn), b.Table.Printed(conn)
	b.PerCaller = perCaller(conn)
	return b
}

// perCaller reports whether a pool may give its sessions the identity of the caller:
// by a hook that gets the caller's ctx, or in the methods of a type that embeds the
// pool.
func perCaller(conn Conn) bool {
	pool, ok := conn.(Pool)
	if !ok {
		return false
	}
	plain, ok := pool.(*pgxpool.Pool)
	if !ok {
		return true
	}
	if plain == nil {
		return false
	}
	config := plain.Config()
	return config.PrepareConn != nil || config.BeforeAcquire != nil //nolint:staticcheck // applications still set it
}

// Pool returns the queue's pool, if it is on one.
func (b Bound) Pool() (Pool, bool) {
	pool, ok := b.Conn.(Pool)
	return pool, ok
}

// Fail adds the place of err, and its meaning. After an error that a new connection
// may not meet, the next call dials anew.
func (b Bound) Fail(op string, err error) error {
	Renew(b.Conn, err)
	return fmt.Errorf("queue %q: %s: %w", b.Name, op, pgerr.Explain(err))
}

// supported returns why a queue cannot work on conn. On a type that hides its
// connection a queue would work, but could not tell whether a statement is a
// transaction of its own, and would be slower without an error.
func supported(conn Conn) error {
	switch conn.(type) {
	case nil:
		return option.Invalid("the database is nil")
	case Pool:
		if !reflect.TypeOf(conn).Comparable() {
			return option.Invalid("a %T cannot be compared, as shared connections need; use a pointer to it", conn)
		}
		return nil
	case interface{ PgConn() *pgconn.PgConn }, interface{ Conn() *pgx.Conn }:
		return nil
	}
	return option.Invalid("a %T is neither a pool, a connection nor a transaction of pgx, and embeds none", conn)
}
