package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// bareTable is the baseline: a program without a queue. It makes one
// INSERT a call and one INSERT … SELECT unnest a batch. Its workers repeat a DELETE
// of 100 rows with SKIP LOCKED. It cannot lease, retry, delay or archive: a worker
// that fails loses the messages that it deleted.
var bareTable = &system{
	name:    "bare",
	about:   "a table and pgx: INSERT, INSERT of unnest, DELETE of 100 with SKIP LOCKED RETURNING",
	workers: 4,
	cannot:  map[string]string{"h": "a bare table is one queue"},
	install: func(ctx context.Context, pool *pgxpool.Pool) error {
		return do(ctx, pool, `CREATE TABLE bare (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			enqueued_at timestamptz NOT NULL DEFAULT now(),
			message jsonb NOT NULL
		)`)
	},
	reset: `TRUNCATE bare`,
	open:  func(_ context.Context, p pools, _ int) (client, error) { return bareClient{p}, nil },
}

type bareClient struct{ pools }

func (c bareClient) send(ctx context.Context, _ int, b body) error {
	var id int64
	return c.pools.send.QueryRow(ctx, `INSERT INTO bare (message) VALUES ($1) RETURNING id`, b).Scan(&id)
}

func (c bareClient) sendBatch(ctx context.Context, _ int, bodies []body) error {
	_, err := c.pools.send.Exec(ctx, `INSERT INTO bare (message) SELECT unnest($1::jsonb[])`, bodies)
	return err
}

func (c bareClient) consume(ctx context.Context, workers int, handle func(body)) error {
	return poll(ctx, workers, 1, func(ctx context.Context, _ int) (int, error) {
		return takeRows(ctx, c.pools.consume, handle, `
			DELETE FROM bare
			WHERE id = ANY (ARRAY (SELECT id FROM bare ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED))
			RETURNING message`)
	})
}

// takeRows runs a statement that returns messages, and passes each to handle.
func takeRows(ctx context.Context, pool *pgxpool.Pool, handle func(body), sql string) (int, error) {
	rows, err := pool.Query(ctx, sql)
	if err != nil {
		return 0, err
	}
	var b body
	tag, err := pgx.ForEachRow(rows, []any{&b}, func() error {
		handle(b)
		return nil
	})
	return int(tag.RowsAffected()), err
}
