package table

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
)

// Alone tells whether a statement on conn would be a transaction of its own, as
// on a pool, or on a connection with no transaction open. The server cannot tell:
// now() and statement_timestamp() differ within one statement that has
// parameters. False in doubt.
func Alone(conn db.DBTX) bool {
	if b, ok := conn.(bound); ok {
		conn = b.conn
	}
	switch c := conn.(type) {
	case interface{ PgConn() *pgconn.PgConn }: // *pgx.Conn
		return c.PgConn().TxStatus() == 'I'
	case interface{ Conn() *pgx.Conn }: // *pgxpool.Conn, pgx.Tx
		return c.Conn() != nil && c.Conn().PgConn().TxStatus() == 'I'
	case interface {
		BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
	}: // *pgxpool.Pool
		return true
	}
	return false
}
