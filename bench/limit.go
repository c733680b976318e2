package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// copyLimit shows how fast Postgres itself is with a queue's table: COPY in, and one
// DELETE … RETURNING of everything out. It is a limit, not a usable queue.
var copyLimit = &system{
	name:    "limit",
	about:   "COPY into a queue's table, one DELETE RETURNING of everything out",
	workers: 1,
	cannot: map[string]string{
		"a": "COPY is for batches", "d": "COPY is for batches", "e": "COPY is for batches",
		"f": "COPY is for batches", "g": "one DELETE takes the backlog as well", "h": "COPY is for batches",
		"c 16": oneStatement, "c 128": oneStatement, "c best": oneStatement,
	},
	install: installSchema,
	reset:   dropQueues,
	open: func(ctx context.Context, p pools, _ int) (client, error) {
		_, err := p.send.Exec(ctx, `SELECT pgmq.create($1)`, queueName(0))
		return limitClient{p}, err
	},
}

const oneStatement = "one statement does it, for any number of workers"

type limitClient struct{ pools }

func (c limitClient) send(ctx context.Context, queue int, b body) error {
	return c.sendBatch(ctx, queue, []body{b})
}

func (c limitClient) sendBatch(ctx context.Context, _ int, bodies []body) error {
	_, err := c.pools.send.CopyFrom(ctx, pgx.Identifier{"pgmq", "q_" + queueName(0)}, []string{"vt", "message"},
		pgx.CopyFromSlice(len(bodies), func(i int) ([]any, error) {
			return []any{time.Unix(0, bodies[i].Due), bodies[i]}, nil
		}))
	return err
}

func (c limitClient) consume(ctx context.Context, _ int, handle func(body)) error {
	return poll(ctx, 1, 1, func(ctx context.Context, _ int) (int, error) {
		return takeRows(ctx, c.pools.consume, handle, `DELETE FROM pgmq.q_bench_0 RETURNING message`)
	})
}
