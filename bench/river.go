package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverQueue is River. It sends batches by InsertManyFast, which uses COPY. Its docs
// name two settings that limit the throughput of a client:
//   - FetchCooldown is the least time between two fetches: 100 ms by default, and
//     here its minimum, 1 ms.
//   - MaxWorkers also limits how many jobs one fetch returns. River's benchmark
//     command uses thousands, and so do the cells that leave the number to the system.
//
// River notifies its clients of new jobs by NOTIFY, so the poll interval matters
// little. Completed jobs stay in the table for a day, which is the default, and
// required without River Pro.
var riverQueue = &system{
	name:    "river",
	about:   "Insert, InsertManyFast; FetchCooldown 1 ms, FetchPollInterval 100 ms",
	workers: 2000,
	install: func(ctx context.Context, pool *pgxpool.Pool) error {
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: silent})
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	},
	reset: `TRUNCATE river_job`,
	open: func(_ context.Context, p pools, queues int) (client, error) {
		inserts, err := river.NewClient(riverpgxv5.New(p.send), riverConfig())
		return &riverClient{inserts: inserts, pool: p.consume, queues: queues}, err
	},
}

var silent = slog.New(slog.DiscardHandler)

func riverConfig() *river.Config {
	return &river.Config{
		FetchCooldown:     river.FetchCooldownMin,
		FetchPollInterval: 100 * time.Millisecond,
		Logger:            silent,
	}
}

type riverClient struct {
	inserts *river.Client[pgx.Tx]
	pool    *pgxpool.Pool // for the workers
	queues  int
}

// riverArgs is a body with the method that River requires.
type riverArgs struct{ body }

func (riverArgs) Kind() string { return "bench" }

func (c *riverClient) send(ctx context.Context, queue int, b body) error {
	_, err := c.inserts.Insert(ctx, riverArgs{b}, riverOptions(queue))
	return err
}

func (c *riverClient) sendBatch(ctx context.Context, queue int, bodies []body) error {
	jobs := make([]river.InsertManyParams, len(bodies))
	for i, b := range bodies {
		jobs[i] = river.InsertManyParams{Args: riverArgs{b}, InsertOpts: riverOptions(queue)}
	}
	_, err := c.inserts.InsertManyFast(ctx, jobs)
	return err
}

func riverOptions(queue int) *river.InsertOpts {
	return &river.InsertOpts{Queue: queueName(queue)}
}

// consume divides the workers among the queues; each gets at least one.
func (c *riverClient) consume(ctx context.Context, workers int, handle func(body)) error {
	config := riverConfig()
	config.Queues = map[string]river.QueueConfig{}
	for queue := range c.queues {
		config.Queues[queueName(queue)] = river.QueueConfig{MaxWorkers: max(workers/c.queues, 1)}
	}
	if c.queues > 1 {
		config.FetchPollInterval = river.FetchPollIntervalDefault // these queues are mostly empty
	}
	config.Workers = river.NewWorkers()
	if err := river.AddWorkerSafely(config.Workers, river.WorkFunc(func(_ context.Context, job *river.Job[riverArgs]) error {
		handle(job.Args.body)
		return nil
	})); err != nil {
		return err
	}
	works, err := river.NewClient(riverpgxv5.New(c.pool), config)
	if err != nil {
		return err
	}
	if err := works.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	<-ctx.Done()
	return works.Stop(context.WithoutCancel(ctx))
}
