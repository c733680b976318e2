package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
)

// pgmqGo is this project's Go API as the README shows it: Send, SendBatch and Consume
// with their defaults.
var pgmqGo = &system{
	name:    "ours",
	about:   "queue.Queue[T] on a pool: Send, SendBatch, Consume; defaults",
	workers: 16,
	install: installSchema,
	reset:   dropQueues,
	open: func(ctx context.Context, p pools, queues int) (client, error) {
		c := &ourClient{}
		for i := range queues {
			if err := admin.Create(ctx, p.send, queueName(i)); err != nil {
				return nil, err
			}
			out, err := queue.New[body](p.send, queueName(i))
			if err != nil {
				return nil, err
			}
			in, err := queue.New[body](p.consume, queueName(i))
			if err != nil {
				return nil, err
			}
			c.out, c.in = append(c.out, out), append(c.in, in)
		}
		return c, nil
	},
}

// dropQueues is the reset of the systems that have PGMQ's tables.
const dropQueues = `SELECT pgmq.drop_queue(queue_name) FROM pgmq.meta`

func installSchema(ctx context.Context, pool *pgxpool.Pool) error {
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	return schema.Migrate(ctx, db)
}

type ourClient struct {
	out, in []*queue.Queue[body]
}

func (c *ourClient) send(ctx context.Context, queue int, b body) error {
	_, err := c.out[queue].Send(ctx, b)
	return err
}

func (c *ourClient) sendBatch(ctx context.Context, queue int, bodies []body) error {
	_, err := c.out[queue].SendBatch(ctx, bodies)
	return err
}

// consume runs one consumer for each queue, with at least one worker.
func (c *ourClient) consume(ctx context.Context, workers int, handle func(body)) error {
	var consumers []func(context.Context) error
	for _, in := range c.in {
		consumers = append(consumers, func(ctx context.Context) error {
			return in.Consume(ctx, func(_ context.Context, m *queue.Message[body]) error {
				handle(m.Body)
				return nil
			}, queue.Workers(max(workers/len(c.in), 1)))
		})
	}
	return queue.Run(ctx, consumers...)
}
