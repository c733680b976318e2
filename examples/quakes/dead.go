package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// deaths are the dead letters that died of the same.
type deaths struct {
	Reason, Error string
	Count, Reads  int       // Reads of the one that was read most
	FirstSent     time.Time // of the first one
}

// deathsShown is how many kinds of death the demo tells.
const deathsShown = 5

// postMortem reads why the messages in a dead-letter queue died. A queue is a table, so
// SQL can query it.
func postMortem(ctx context.Context, pool *pgxpool.Pool, name string) ([]deaths, error) {
	rows, err := pool.Query(ctx, `
SELECT
    d ->> 'reason',
    coalesce(d ->> 'error', ''),
    count(*),
    max((d ->> 'reads')::integer),
    min((d ->> 'enqueued_at')::timestamptz)
FROM `+tableOf("q", name)+`
CROSS JOIN LATERAL (SELECT headers -> 'x-pgmq-dead-letter') AS story (d)
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2
LIMIT $1`, deathsShown)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[deaths])
}

// countLeft asks the database itself how many messages queues and their archives
// hold.
func countLeft(ctx context.Context, pool *pgxpool.Pool, names ...string) (left int64, err error) {
	for _, name := range names {
		for _, prefix := range []string{"q", "a"} {
			var n int64
			if err := pool.QueryRow(ctx, "SELECT count(*) FROM "+tableOf(prefix, name)).Scan(&n); err != nil {
				return 0, err
			}
			left += n
		}
	}
	return left, nil
}

// tableOf returns the table of a queue, q, or of its archive, a. The name must be
// in lower case.
func tableOf(prefix, name string) string {
	return pgx.Identifier{"pgmq", prefix + "_" + name}.Sanitize()
}
