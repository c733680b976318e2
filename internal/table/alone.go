package table

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
)

// Alone reports whether a statement on conn would be a transaction by itself, as
// on a pool, or on a connection without an open transaction; false in doubt. SQL
// cannot find out: now() and statement_timestamp() differ within one statement
// that has parameters.
func Alone(conn db.DBTX) bool {
	switch b := conn.(type) {
	case bound:
		conn = b.conn
	case configured:
		conn = b.conn
	}
	switch c := conn.(type) {
	case interface{ PgConn() *pgconn.PgConn }: // *pgx.Conn
		return c.PgConn().TxStatus() == 'I'
	case interface{ Conn() *pgx.Conn }: // *pgxpool.Conn, pgx.Tx
		return c.Conn() != nil && c.Conn().PgConn().TxStatus() == 'I'
	case Pool:
		return true
	}
	return false
}
