package sql

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestAReaderThatCameUpShortHearsOfTheNextMessage(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for _, read := range []string{
		`read($1, 3600, $2)`, `read($1, 0, $2)`, `read($1, 3600, $2, '{"a": 1}')`, `pop($1, $2)`, `read_with_poll($1, 3600, $2, 1, 1000)`,
		`read_grouped($1, 3600, $2)`, `read_grouped_rr($1, 3600, $2)`, `read_grouped_head($1, 3600, $2)`,
	} {
		name := notifying(t, hour)
		l := listen(t, name)
		sendSQL(t, pool, name)
		sendSQL(t, pool, name)
		check.Equal(t, "notifications before "+read, l.Heard(t), 1)
		readAll(t, pool, name, read, 9)
		sendSQL(t, pool, name)
		sendSQL(t, pool, name)
		check.Equal(t, "notifications after "+read, l.Heard(t), 1)
	}
}

func TestAReaderThatFoundAllItAskedForIsNotTold(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), notifying(t, hour)
	l := listen(t, name)
	check.Exec(t, pool, `SELECT pgmq.send_batch($1, array_fill('1'::jsonb, '{30}'))`, name)
	for _, read := range []string{`read_grouped_head($1, 3600, $2)`, `read($1, 3600, $2)`, `pop($1, $2)`} {
		check.Exec(t, pool, `SELECT pgmq.`+read, name, 1)
		sendSQL(t, pool, name)
	}
	check.Equal(t, "notifications", l.Heard(t), 1)
}

func TestPeekingReturnsNothingTwice(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, hour)
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.send_batch($1, '{1,2}', '{"{\"x-pgmq-group\": 1}","{\"x-pgmq-group\": 2}"}'::jsonb[])`, name)
	for _, read := range []string{`read($1, 0, 9)`, `read($1, -1, 9)`, `read_grouped($1, 0, 9)`, `read_grouped_rr($1, 0, 9)`, `read_grouped_head($1, 0, 9)`, `pop($1, 9)`} {
		check.Equal(t, read, check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM pgmq.`+read, name), 2)
	}
}

func TestANotificationThatFailedDoesNotSilenceOthers(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), notifying(t, hour)
	l := listen(t, name)
	sendSQL(t, pool, name)
	check.Equal(t, "messages", readSQL(t, pool, name, 9), 1)
	check.Equal(t, "notifications", l.Heard(t), 1)
	// It notifies, and then its commit fails.
	_, err := pool.Exec(t.Context(), check.Tables(name, `
		BEGIN;
		CREATE TEMP TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP;
		INSERT INTO {Q} (vt, message) VALUES (now(), '1');
		INSERT INTO once VALUES (1), (1);
		COMMIT`))
	check.SQLState(t, err, "23505")
	check.Equal(t, "notifications of what failed", l.Heard(t), 0)
	sendSQL(t, pool, name)
	check.Equal(t, "notifications of what came after", l.Heard(t), 1)
}

func TestAnOpenTransactionThatSentBlocksNobody(t *testing.T) {
	check.Parallel(t)
	name := notifying(t, 0)
	begin := func() pgx.Tx {
		conn := check.Connection(t, pgtest.Pool())
		check.Exec(t, conn, `SET lock_timeout = '5s'; SET statement_timeout = '20s'`)
		tx, err := conn.Begin(t.Context())
		check.OK(t, err)
		return tx
	}
	for _, early := range []string{"", `SET CONSTRAINTS ALL IMMEDIATE`} {
		check.Exec(t, pgtest.Pool(), `SELECT pgmq.update_notify_insert($1, 0)`, name)
		open := begin()
		check.Exec(t, open, early)
		sendSQL(t, open, name)
		l := listen(t, name)
		for range 3 {
			tx := begin()
			sendSQL(t, tx, name)
			check.OK(t, tx.Commit(t.Context()))
		}
		check.Equal(t, "notifications of others", l.Heard(t), 3)
		check.Equal(t, "messages of others", readAll(t, pgtest.Pool(), name, `read($1, 3600, $2)`, 10), 3)
		l.Heard(t)
		check.OK(t, open.Commit(t.Context()))
		check.Equal(t, "notifications in the end", l.Heard(t), 1)
		check.Equal(t, "messages in the end", readAll(t, pgtest.Pool(), name, `pop($1, $2)`, 10), 1)
	}
}

func TestSendersToTwoQueuesInOppositeOrderDoNotDeadlock(t *testing.T) {
	check.Parallel(t)
	a, b := notifying(t, 0), notifying(t, 0)
	for _, early := range []string{"", `SET CONSTRAINTS ALL IMMEDIATE`} {
		var txs []pgx.Tx
		for range 2 {
			tx, err := check.Connection(t, pgtest.Pool()).Begin(t.Context())
			check.OK(t, err)
			check.Exec(t, tx, `SET LOCAL lock_timeout = '5s'`)
			check.Exec(t, tx, early)
			txs = append(txs, tx)
		}
		sendSQL(t, txs[0], a)
		sendSQL(t, txs[1], b)
		sendSQL(t, txs[0], b)
		sendSQL(t, txs[1], a)
		check.OK(t, txs[0].Commit(t.Context()))
		check.OK(t, txs[1].Commit(t.Context()))
	}
}

func TestSendersInStricterIsolationDoNotFailForTheNotification(t *testing.T) {
	check.Parallel(t)
	for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
		name := notifying(t, 0)
		l := listen(t, name)
		var txs []pgx.Tx
		for range 3 {
			tx, err := check.Connection(t, pgtest.Pool()).BeginTx(t.Context(), pgx.TxOptions{IsoLevel: level})
			check.OK(t, err)
			sendSQL(t, tx, name)
			txs = append(txs, tx)
		}
		sendSQL(t, pgtest.Pool(), name)
		for _, tx := range txs {
			check.OK(t, tx.Commit(t.Context()))
		}
		check.Equal(t, "notifications", l.Heard(t), 4)
	}
}
