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

// beginReadOnly begins a transaction that cannot change anything and does not block
// others. It turns JIT off, as compiling would take longer than these queries. The
// styles are those in which pgx understands times as text.
const beginReadOnly = `BEGIN READ ONLY;
	SET LOCAL lock_timeout = '500ms';
	SET LOCAL statement_timeout = '5s';
	SET LOCAL jit = off;
	SET LOCAL datestyle = ISO;
	SET LOCAL intervalstyle = postgres;
	SET LOCAL search_path = pg_catalog, pg_temp`

// readOnly runs do in a transaction that beginReadOnly begins.
func (e *Examination) readOnly(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, e.pool, pgx.TxOptions{BeginQuery: beginReadOnly}, do)
}

// facts returns the rows of a query. Columns match the fields of T by name.
func facts[T any](ctx context.Context, e *Examination, sql string) (all []T, err error) {
	err = e.readOnly(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[T])
		return err
	})
	return all, err
}

// forEachRow returns a check that judges every row of a query.
func forEachRow[T any](sql string, judge func(*Examination, T) []Finding) checkFunc {
	return func(ctx context.Context, e *Examination) ([]Finding, error) {
		rows, err := facts[T](ctx, e, sql)
		var found []Finding
		for _, row := range rows {
			found = append(found, judge(e, row)...)
		}
		return found, err
	}
}

// CouldNot returns the finding of a check that failed with err.
func CouldNot(err error) Finding {
	f := Finding{Level: Unchecked, What: strings.Join(strings.Fields(err.Error()), " ")} // pgx's errors have several lines
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
		f.Do = "run pgmq doctor as a role with the grants of a monitor, which docs/roles.md lists"
	case "3F000", "42P01", "42703", "42883":
		f.Do = "pgmq migrate up: this schema is older than the check"
	case "55P03":
		f.What = "a lock is in the way: " + pg.Message
		f.Do = "run pgmq doctor again when the lock is gone"
	case "57014":
		f.What = "it took too long: " + pg.Message
		f.Do = "run pgmq doctor again later: the server is busy, or many dead rows slow the check down"
	}
	return f
}

// seconds formats a duration, rounded to seconds.
func seconds(d time.Duration) string { return d.Round(time.Second).String() }

// number formats a number with thousands separators.
func number(n int64) string {
	return message.NewPrinter(language.English).Sprintf("%d", n)
}

// size formats a number of bytes.
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
