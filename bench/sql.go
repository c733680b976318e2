package main

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgmqSQL calls this project's SQL functions by plain pgx, as a program in another
// language does: pgmq.send, pgmq.send_batch, and workers that repeat pgmq.read(100)
// and pgmq.delete(array). A worker that finds nothing waits for pollPause.
var pgmqSQL = &system{
	name:    "sql",
	about:   "pgmq.send, send_batch, read(100) and delete(array) by plain pgx",
	workers: 4,
	install: installSchema,
	reset:   dropQueues,
	open:    openSQL(100),
}

//go:embed pgmq.sql
var pgmqTables string

// pgmqThen makes the same calls to PGMQ's own tables and functions; see pgmq.sql.
var pgmqThen = &system{
	name:    "pgmq",
	about:   "the same calls to the layout and statements of PGMQ 1.13 (bench/pgmq.sql)",
	workers: 4,
	install: func(ctx context.Context, pool *pgxpool.Pool) error { return do(ctx, pool, pgmqTables) },
	reset:   dropQueues,
	open:    openSQL(100),
}

// pgmqSQLOne is pgmqSQL that reads and deletes one message a call.
var pgmqSQLOne = &system{
	name:    "sql-1",
	about:   "as sql, with read(1) and delete(id)",
	workers: 16,
	cannot: map[string]string{
		"a": sendsAlike, "b": sendsAlike, "d": drainShows, "e": drainShows,
		"f": drainShows, "g": drainShows, "h": drainShows,
	},
	install: installSchema,
	reset:   dropQueues,
	open:    openSQL(1),
}

const (
	sendsAlike = "it sends as sql does"
	drainShows = "the drain shows what one message a call costs"
)

func openSQL(batch int) func(context.Context, pools, int) (client, error) {
	return func(ctx context.Context, p pools, queues int) (client, error) {
		for i := range queues {
			if _, err := p.send.Exec(ctx, `SELECT pgmq.create($1)`, queueName(i)); err != nil {
				return nil, err
			}
		}
		return &sqlClient{pools: p, queues: queues, batch: batch}, nil
	}
}

type sqlClient struct {
	pools
	queues, batch int
}

func (c *sqlClient) send(ctx context.Context, queue int, b body) error {
	_, err := c.pools.send.Exec(ctx, `SELECT pgmq.send($1, $2::jsonb)`, queueName(queue), b)
	return err
}

func (c *sqlClient) sendBatch(ctx context.Context, queue int, bodies []body) error {
	_, err := c.pools.send.Exec(ctx, `SELECT pgmq.send_batch($1, $2::jsonb[])`, queueName(queue), bodies)
	return err
}

func (c *sqlClient) consume(ctx context.Context, workers int, handle func(body)) error {
	return poll(ctx, workers, c.queues, func(ctx context.Context, queue int) (int, error) {
		rows, err := c.pools.consume.Query(ctx,
			`SELECT msg_id, message FROM pgmq.read($1, 30, $2)`, queueName(queue), c.batch)
		if err != nil {
			return 0, err
		}
		var (
			ids []int64
			id  int64
			b   body
		)
		if _, err := pgx.ForEachRow(rows, []any{&id, &b}, func() error {
			ids = append(ids, id)
			handle(b)
			return nil
		}); err != nil || len(ids) == 0 {
			return 0, err
		}
		return len(ids), c.settle(ctx, queue, ids)
	})
}

func (c *sqlClient) settle(ctx context.Context, queue int, ids []int64) (err error) {
	if c.batch == 1 {
		_, err = c.pools.consume.Exec(ctx, `SELECT pgmq.delete($1, $2::bigint)`, queueName(queue), ids[0])
	} else {
		_, err = c.pools.consume.Exec(ctx, `SELECT pgmq.delete($1, $2::bigint[])`, queueName(queue), ids)
	}
	return err
}

// do runs statements without parameters, one after the other.
func do(ctx context.Context, pool *pgxpool.Pool, statements ...string) error {
	for _, sql := range statements {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
