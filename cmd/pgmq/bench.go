package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
)

func benchCommand(t *target) *cobra.Command {
	var l load
	var name string
	var asJSON bool
	bench := &cobra.Command{
		Use:   "bench",
		Short: "Measure what this server carries",
		Long: strings.TrimSpace(`
Measure what this server carries, through the same Go API that programs use:
producers send as fast as they can, consumers handle and delete, from this
machine and over its network. Producers are held back when the queue has 10,000
messages, or 64 MiB.

It makes a queue of its own and drops it, also after ctrl-C. --queue names one
instead, such as an unlogged or a partitioned one: it must be empty, and stays
when it was there before.

The latency is that from the send to the handler. Since producers do not rest,
waiting in the queue is most of it; with --producers 1 it is little.`),
		Example: `  pgmq bench
  pgmq bench --producers 1 --consumers 1
  pgmq bench --batch 100 --size 1000 --duration 1m --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := l.check(); err != nil {
				return usage(cmd, err)
			}
			return exactly()(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			pool, err := l.pool(cmd.Context(), t)
			if err != nil {
				return err
			}
			defer pool.Close()
			r, err := onQueueForBench(cmd.Context(), pool, name, func(name string) (*result, error) {
				return l.run(cmd, pool, name)
			})
			if err != nil {
				return err
			}
			if asJSON {
				out := newPrinter(cmd, true)
				return errors.Join(out.line(r), out.flush())
			}
			return newBoard(cmd, false).show(r.sheet().lines())
		},
	}
	flags := bench.Flags()
	flags.StringVar(&name, "queue", "", "use this empty queue, or make it")
	flags.DurationVar(&l.Duration, "duration", 10*time.Second, "send for so long")
	flags.IntVar(&l.Producers, "producers", 8, "send from so many goroutines")
	flags.IntVar(&l.Consumers, "consumers", 8, "handle so many messages at once")
	flags.IntVar(&l.Size, "size", 100, "bytes of a body")
	flags.IntVar(&l.Batch, "batch", 1, "messages that a producer sends at once")
	jsonFlag(bench, &asJSON, "write one object of JSON")
	_ = bench.RegisterFlagCompletionFunc("queue", completeQueues(t, 1))
	return bench
}

// onQueueForBench runs work on an empty queue. It makes one without a name, or
// when there is none of this name, and drops what it made.
func onQueueForBench(ctx context.Context, pool *pgxpool.Pool, name string, work func(name string) (*result, error)) (r *result, err error) {
	if name == "" {
		name = "pgmq_bench_" + strings.ToLower(rand.Text()[:8])
	}
	stats, err := queue.Stats(ctx, pool, name)
	switch {
	case errors.Is(err, queue.ErrNoQueue):
		if err := createOwn(ctx, pool, name); err != nil {
			return nil, err
		}
		defer func() {
			clean, cancel := afterCtrlC(ctx)
			defer cancel()
			// Only an empty one: what is in it now is somebody else's.
			if left := dropQueue(clean, pool, name, false); left != nil {
				err = leaving(ctx, err, fmt.Errorf("its queue stays, for pgmq queue drop: %w", left))
			}
		}()
	case err != nil:
		return nil, err
	case stats.Length > 0:
		return nil, fmt.Errorf("queue %q holds %s: a bench wants an empty one", name, count(stats.Length, "message"))
	}
	return work(name)
}
