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

	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/queue/admin"
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
machine and over its network. Producers wait while the queue has 10,000
messages, or 64 MiB.

It creates a queue and drops it, also after ctrl-C. --queue names one instead,
such as an unlogged or a partitioned one. That must be empty, and stays if it
existed before.

The latency is the time from the send to the handler. Producers send without a
pause, so most of it is waiting in the queue; with --producers 1 it is little.`),
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
			return newDisplay(cmd, false).show(r.sheet().lines())
		},
	}
	flags := bench.Flags()
	flags.StringVar(&name, "queue", "", "use this empty queue, or create it")
	flags.DurationVar(&l.Duration, "duration", 10*time.Second, "how long to send")
	flags.IntVar(&l.Producers, "producers", 8, "how many goroutines send")
	flags.IntVar(&l.Consumers, "consumers", 8, "how many messages are handled at once")
	flags.IntVar(&l.Size, "size", 100, "bytes of a body")
	flags.IntVar(&l.Batch, "batch", 1, "messages that a producer sends at once")
	jsonFlag(bench, &asJSON, "write one object of JSON")
	_ = bench.RegisterFlagCompletionFunc("queue", completeQueues(t, 1))
	return bench
}

// onQueueForBench runs work on an empty queue. Without a name, or when there is
// none of this name, it creates one and drops it afterwards.
func onQueueForBench(ctx context.Context, pool *pgxpool.Pool, name string, work func(name string) (*result, error)) (r *result, err error) {
	if name == "" {
		name = "pgmq_bench_" + strings.ToLower(rand.Text()[:8])
	}
	stats, err := admin.Stats(ctx, pool, name)
	switch {
	case errors.Is(err, pgerr.ErrNoQueue):
		if err := createForBench(ctx, pool, name); err != nil {
			return nil, err
		}
		defer func() {
			clean, cancel := afterCtrlC(ctx)
			defer cancel()
			// Only an empty one: messages in it now belong to another program.
			if left := admin.DropEmpty(clean, pool, name); left != nil {
				err = andLeftBehind(ctx, err, fmt.Errorf("its queue stays: drop it with pgmq queue drop: %w", left))
			}
		}()
	case err != nil:
		return nil, err
	case stats.Length > 0:
		return nil, fmt.Errorf("queue %q holds %s: a bench needs an empty one", name, count(stats.Length, "message"))
	}
	return work(name)
}

// createForBench finishes even after ctrl-C: if it did not, nobody would know
// whether the queue exists.
func createForBench(ctx context.Context, pool *pgxpool.Pool, name string) error {
	ctx, cancel := afterCtrlC(ctx)
	defer cancel()
	return admin.Create(ctx, pool, name)
}
