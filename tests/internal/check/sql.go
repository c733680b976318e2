package check

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// Querier is a target of queries.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Value runs a query that returns one value.
func Value[V any](t testing.TB, db Querier, sql string, args ...any) V {
	t.Helper()
	var v V
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return v
}

// Values runs a query that returns one column.
func Values[V any](t testing.TB, db Querier, sql string, args ...any) []V {
	t.Helper()
	rows, err := db.Query(t.Context(), sql, args...)
	OK(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[V])
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return all
}

// Exec runs SQL.
func Exec(t testing.TB, db Querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// Tables puts the tables of a queue in the place of {Q} and {A} in sql.
func Tables(name, sql string) string {
	name = strings.ToLower(name)
	return strings.NewReplacer(
		"{Q}", pgx.Identifier{"pgmq", "q_" + name}.Sanitize(),
		"{A}", pgx.Identifier{"pgmq", "a_" + name}.Sanitize(),
	).Replace(sql)
}

// ServerTime is the time by the server's clock.
func ServerTime(t testing.TB) time.Time {
	t.Helper()
	return Value[time.Time](t, pgtest.Pool(), "SELECT clock_timestamp()")
}

// DSN is the pool's database for commands.
func DSN(pool *pgxpool.Pool) string {
	return pgtest.URL(pool.Config().ConnConfig.Database)
}

// Connection is a connection to a pool's database that is not the pool's. It is closed when the test ends.
func Connection(t testing.TB, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), pool.Config().ConnConfig)
	OK(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// SQLDB is a database/sql handle on a pool.
func SQLDB(t testing.TB, pool *pgxpool.Pool) *sql.DB {
	t.Helper()
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { db.Close() })
	return db
}

// Catalogue lists everything in a database that is not Postgres' own.
func Catalogue(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	return Values[string](t, pool, `
		WITH own AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
		SELECT 'schema ' || nspname FROM pg_namespace WHERE oid IN (TABLE own)
		UNION ALL SELECT 'relation ' || concat_ws(' ', oid::regclass, ARRAY(SELECT unnest(reloptions) ORDER BY 1)) FROM pg_class WHERE relnamespace IN (TABLE own)
		UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indrelid WHERE relnamespace IN (TABLE own)
		UNION ALL SELECT 'column ' || concat_ws(' ', attrelid::regclass, attname, atttypid::regtype, attnotnull) FROM pg_attribute JOIN pg_class ON oid = attrelid WHERE relnamespace IN (TABLE own) AND attnum > 0
		UNION ALL SELECT 'function ' || oid::regprocedure || ' ' || md5(pg_get_functiondef(oid)) FROM pg_proc WHERE pronamespace IN (TABLE own)
		UNION ALL SELECT concat_ws(' ', 'grant of', privilege_type, 'on', c.oid::regclass, 'to', grantee::regrole)
			FROM pg_class AS c, aclexplode(relacl) WHERE relnamespace IN (TABLE own) AND grantee <> relowner
		UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE typnamespace IN (TABLE own)
		UNION ALL SELECT 'constraint ' || conname || ' on ' || conrelid::regclass FROM pg_constraint WHERE connamespace IN (TABLE own)
		UNION ALL SELECT 'default privileges' FROM pg_default_acl
		UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
		ORDER BY 1`)
}
