package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vgarvardt/gue/v5"
	"github.com/vgarvardt/gue/v5/adapter/pgxv5"
	"golang.org/x/sync/errgroup"
)

// gueQueue is gue: Enqueue, EnqueueBatch and its pool of workers. Each worker holds a
// transaction while it handles one job. The poll strategy is by run_at, which an
// index serves; the default, by priority, sorts all jobs at each poll. The poll
// interval is that of the other systems that poll, and not gue's default of 5 s.
var gueQueue = &system{
	name:    "gue",
	about:   "Enqueue, EnqueueBatch; worker pool, RunAtPollStrategy, poll interval 10 ms",
	workers: 32,
	install: func(ctx context.Context, pool *pgxpool.Pool) error { return do(ctx, pool, gueTable, gueIndex) },
	reset:   `TRUNCATE gue_jobs`,
	open: func(_ context.Context, p pools, queues int) (client, error) {
		enqueues, err := gue.NewClient(pgxv5.NewConnPool(p.send))
		if err != nil {
			return nil, err
		}
		works, err := gue.NewClient(pgxv5.NewConnPool(p.consume))
		return &gueClient{enqueues, works, queues}, err
	},
}

// The statements of gue's migrations/schema.sql, which the module does not embed.
const (
	gueTable = `CREATE TABLE IF NOT EXISTS gue_jobs (
		job_id      TEXT        NOT NULL PRIMARY KEY,
		priority    SMALLINT    NOT NULL,
		run_at      TIMESTAMPTZ NOT NULL,
		job_type    TEXT        NOT NULL,
		args        BYTEA       NOT NULL,
		error_count INTEGER     NOT NULL DEFAULT 0,
		last_error  TEXT,
		queue       TEXT        NOT NULL,
		created_at  TIMESTAMPTZ NOT NULL,
		updated_at  TIMESTAMPTZ NOT NULL
	)`
	gueIndex = `CREATE INDEX IF NOT EXISTS idx_gue_jobs_selector ON gue_jobs (queue, run_at, priority)`
)

const gueType = "bench"

type gueClient struct {
	enqueues, works *gue.Client
	queues          int
}

func (c *gueClient) send(ctx context.Context, queue int, b body) error {
	job, err := gueJob(queue, b)
	if err != nil {
		return err
	}
	return c.enqueues.Enqueue(ctx, job)
}

func (c *gueClient) sendBatch(ctx context.Context, queue int, bodies []body) error {
	jobs := make([]*gue.Job, len(bodies))
	for i, b := range bodies {
		job, err := gueJob(queue, b)
		if err != nil {
			return err
		}
		jobs[i] = job
	}
	return c.enqueues.EnqueueBatch(ctx, jobs)
}

func gueJob(queue int, b body) (*gue.Job, error) {
	args, err := json.Marshal(b)
	return &gue.Job{Type: gueType, Queue: queueName(queue), Args: args}, err
}

// consume gives each queue a pool of at least one worker. With many queues the poll
// interval is longer; otherwise the polls alone would keep the server busy.
func (c *gueClient) consume(ctx context.Context, workers int, handle func(body)) error {
	work := gue.WorkMap{gueType: func(_ context.Context, job *gue.Job) error {
		var b body
		if err := json.Unmarshal(job.Args, &b); err != nil {
			return err
		}
		handle(b)
		return nil
	}}
	interval := max(pollPause, time.Duration(c.queues)*time.Millisecond)
	group, ctx := errgroup.WithContext(ctx)
	for queue := range c.queues {
		pool, err := gue.NewWorkerPool(c.works, work, max(workers/c.queues, 1),
			gue.WithPoolQueue(queueName(queue)),
			gue.WithPoolPollInterval(interval),
			gue.WithPoolPollStrategy(gue.RunAtPollStrategy),
			gue.WithPoolGracefulShutdown(nil), // workers finish the jobs that they began
		)
		if err != nil {
			return err
		}
		group.Go(func() error { return pool.Run(ctx) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
