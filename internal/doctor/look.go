package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// careful begins a transaction that cannot change anything, and holds up nobody.
// Compiling would take longer than what is asked for.
const careful = `BEGIN READ ONLY;
	SET LOCAL lock_timeout = '500ms';
	SET LOCAL statement_timeout = '5s';
	SET LOCAL jit = off;
	SET LOCAL search_path = pg_catalog, pg_temp`

// inside runs do in a careful transaction.
func (p *Patient) inside(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{BeginQuery: careful}, do)
}

// facts returns the rows of a query, by the names of its columns.
func facts[T any](ctx context.Context, p *Patient, sql string) (all []T, err error) {
	err = p.inside(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[T])
		return err
	})
	return all, err
}

// each is the look at every row of a query.
func each[T any](sql string, judge func(*Patient, T) []Finding) look {
	return func(ctx context.Context, p *Patient) ([]Finding, error) {
		rows, err := facts[T](ctx, p, sql)
		var found []Finding
		for _, row := range rows {
			found = append(found, judge(p, row)...)
		}
		return found, err
	}
}

// CouldNot is the finding that a check could not be made.
func CouldNot(err error) Finding {
	f := Finding{Level: Unchecked, What: strings.Join(strings.Fields(err.Error()), " ")} // pgx' have lines
	if errors.Is(err, context.DeadlineExceeded) {
		f.What = "no answer in time"
		f.Do = "run pgmq doctor again later"
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return f
	}
	f.What = pg.Message
	switch pg.Code {
	case "42501":
		f.Do = "run pgmq doctor as a role that may look: docs/roles.md has the grants of a monitor"
	case "3F000", "42P01", "42703", "42883":
		f.Do = "pgmq migrate up: this schema is older than the check"
	case "55P03":
		f.What = "a lock is in the way: " + pg.Message
		f.Do = "run pgmq doctor again when the lock is gone"
	case "57014":
		f.What = "it took too long: " + pg.Message
		f.Do = "run pgmq doctor again later: the server is busy, or dead rows are in the way"
	}
	return f
}

// long writes how long something has been so.
func long(d time.Duration) string { return d.Round(time.Second).String() }

// number writes a number with thousands.
func number(n int64) string {
	return message.NewPrinter(language.English).Sprintf("%d", n)
}

// size writes a number of bytes.
func size(bytes int64) string {
	if bytes >= gigabyte {
		return fmt.Sprintf("%.1f GB", float64(bytes)/gigabyte)
	}
	return fmt.Sprintf("%d MB", bytes/megabyte)
}

const (
	megabyte = 1 << 20
	gigabyte = 1 << 30
)
