package load

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/history"
)

// Prepare makes the queues and the application's tables, in a migrated database.
func Prepare(ctx context.Context, pool *pgxpool.Pool) error {
	for _, name := range []string{Plain, Tx, Poison, Hand, Fifo, Dead} {
		if err := admin.Create(ctx, pool, name); err != nil {
			return err
		}
	}
	_, err := pool.Exec(ctx, `
		CREATE TABLE effects (msg_id bigint NOT NULL, key text NOT NULL);
		CREATE TABLE orders (queue text NOT NULL, key text NOT NULL)`)
	return err
}

// Left counts the messages that are still to be handled.
func Left(ctx context.Context, pool *pgxpool.Pool) (n int64, err error) {
	err = pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM pgmq.q_plain) + (SELECT count(*) FROM pgmq.q_tx)
		+ (SELECT count(*) FROM pgmq.q_poison) + (SELECT count(*) FROM pgmq.q_hand) + (SELECT count(*) FROM pgmq.q_fifo)`).Scan(&n)
	return n, err
}

// All messages, as rows of a census: queue, place, msg_id, key, reads.
const there = `
	SELECT 'plain', 'queue', msg_id, message->>'key', read_ct FROM pgmq.q_plain
	UNION ALL SELECT 'tx', 'queue', msg_id, message->>'key', read_ct FROM pgmq.q_tx
	UNION ALL SELECT 'poison', 'queue', msg_id, message->>'key', read_ct FROM pgmq.q_poison
	UNION ALL SELECT 'hand', 'queue', msg_id, message->>'key', read_ct FROM pgmq.q_hand
	UNION ALL SELECT 'fifo', 'queue', msg_id, message->>'key', read_ct FROM pgmq.q_fifo
	UNION ALL SELECT 'hand', 'archive', msg_id, message->>'key', read_ct FROM pgmq.a_hand
	UNION ALL SELECT headers->'x-pgmq-dead-letter'->>'queue', 'dead', (headers->'x-pgmq-dead-letter'->>'msg_id')::bigint,
		message->>'key', (headers->'x-pgmq-dead-letter'->>'reads')::int FROM pgmq.q_dead
	UNION ALL SELECT 'tx', 'effect', msg_id, key, 0 FROM effects
	UNION ALL SELECT queue, 'order', 0, key, 0 FROM orders`

// Census records the messages that are left at the end. emptied says that nothing should
// be left.
func Census(ctx context.Context, pool *pgxpool.Pool, rec *history.Recorder, emptied bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	rows, err := pool.Query(ctx, there)
	if err != nil {
		return err
	}
	e := history.Event{Op: history.Census}
	if _, err := pgx.ForEachRow(rows, []any{&e.Queue, &e.How, &e.ID, &e.Key, &e.Reads}, func() error {
		rec.Note(e)
		return nil
	}); err != nil {
		return err
	}
	o := history.Unknown
	if emptied {
		o = history.OK
	}
	rec.Note(history.Event{Op: history.End, Outcome: o})
	return rec.Err()
}
