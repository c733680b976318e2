package table

import "github.com/pgmq-go/pgmq/internal/pgerr"

// Renew has a pool dial anew after an error that says that its session does not
// write: the server is a standby by now, or another address leads to the one that is
// not. Connections in use are closed when they come back. It does nothing after any
// other error, on a connection and in a transaction, which are the caller's.
func Renew(conn Conn, err error) {
	if pool, ok := conn.(Pool); ok && pgerr.ReadOnly(err) {
		pool.Reset()
	}
}
