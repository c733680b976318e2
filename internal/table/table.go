// Package table binds SQL that is written against the template tables to the
// tables of one queue.
package table

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
)

// The tables that queries name. Neither is a prefix of another name, so that
// plain replacement finds these and nothing else.
const (
	queueTemplate   = "pgmq.template_queue"
	archiveTemplate = "pgmq.template_archive"
)

// Table is the pair of tables of one queue, and the texts of the queries that
// were bound to it so far. Share one among all that use the queue.
type Table struct {
	name     string
	replacer atomic.Pointer[strings.Replacer] // nil until the tables' names are known
	texts    sync.Map                         // template text -> bound text
}

// New returns the tables of the named queue. The name must have passed CheckName.
func New(name string) *Table {
	t := &Table{name: name}
	if strings.ToLower(name) == name {
		t.setName(name)
	}
	return t
}

func (t *Table) setName(lower string) *strings.Replacer {
	r := strings.NewReplacer(
		queueTemplate, pgx.Identifier{"pgmq", "q_" + lower}.Sanitize(),
		archiveTemplate, pgx.Identifier{"pgmq", "a_" + lower}.Sanitize(),
	)
	t.replacer.Store(r)
	return r
}

// text returns sql with the templates replaced by the queue's own tables.
func (t *Table) text(ctx context.Context, conn db.DBTX, sql string) (string, error) {
	if t == nil { // it names none
		return sql, nil
	}
	if bound, ok := t.texts.Load(sql); ok {
		return bound.(string), nil
	}
	r := t.replacer.Load()
	if r == nil {
		// The database lower-cased the name when it made the tables, by the
		// rules of its own locale: only the database knows the result for Ü or I.
		lower, err := db.New().Lower(ctx, conn, t.name)
		if err != nil {
			return "", err
		}
		if len("q_"+lower) > maxIdentifierBytes {
			return "", fmt.Errorf("queue name %q is longer than 61 bytes in lower case", t.name)
		}
		r = t.setName(lower)
	}
	bound := r.Replace(sql)
	t.texts.Store(sql, bound)
	return bound, nil
}

// Bind returns a DBTX for generated queries that runs them on conn, against the
// queue's own tables.
func (t *Table) Bind(conn db.DBTX) db.DBTX {
	return bound{table: t, conn: conn}
}

type bound struct {
	table *Table
	conn  db.DBTX
}

func (b bound) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	text, err := b.table.text(ctx, b.conn, sql)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return b.conn.Exec(ctx, text, args...)
}

func (b bound) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	text, err := b.table.text(ctx, b.conn, sql)
	if err != nil {
		return nil, err
	}
	rows, err := b.conn.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return rawRows{rows}, nil
}

func (b bound) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	text, err := b.table.text(ctx, b.conn, sql)
	if err != nil {
		return failedRow{err}
	}
	return rawRow{b.conn.QueryRow(ctx, text, args...)}
}

// failedRow is a row that could not be asked for.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
