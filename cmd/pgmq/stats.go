package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/dial"
	"github.com/pgmq-go/pgmq/internal/inspect"
)

func statsCommand(t *target) *cobra.Command {
	var watch, asJSON bool
	var interval time.Duration
	stats := &cobra.Command{
		Use:   "stats [QUEUE]...",
		Short: "Show what is in the queues, and how fast it moves",
		Long: strings.TrimSpace(`
Show what is in all queues, or in those that are named:

  TOTAL    messages: visible, in flight and delayed
  FLIGHT   hidden after a read: being handled, or waiting for a retry
  DELAYED  hidden and never read
  OLDEST   how long ago the oldest visible message was sent
  NEWEST   how long ago the newest message was sent
  READS    the most reads that a message had
  SIZE     of the table with its indexes; ARCHIVE is that of the archive
  SENT/S   with --watch: messages sent a second
  DONE/S   with --watch: messages deleted or archived a second

A queue of up to 32 MB is counted. Of a longer one 32 MB are counted, and the
numbers are estimates, with a ~ in front. For a queue that this role may not
read the command says so, and exits with 3.

With --watch it repeats until ctrl-C. While the server is away it says so, and
goes on when the server is back.`),
		Example: `  pgmq stats
  pgmq stats orders orders_dead --watch
  pgmq stats --json | jq 'select(.queue_length > 1000)'`,
		Args: func(cmd *cobra.Command, _ []string) error {
			if interval < leastInterval {
				return usage(cmd, fmt.Errorf("--interval must be at least %v", leastInterval))
			}
			return nil
		},
		ValidArgsFunction: completeQueues(t, 1000),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				if watch {
					return watchStats(cmd, pool, args, interval, asJSON)
				}
				queues, err := inspect.Queues(cmd.Context(), pool, args, nil)
				if err != nil {
					return err
				}
				if len(queues) == 0 {
					return partly("no queues: create one with pgmq queue create NAME")
				}
				if err := showStats(newDisplay(cmd, false), newPrinter(cmd, true), queues, 0, asJSON); err != nil {
					return err
				}
				return unreadable(queues)
			})
		},
	}
	stats.Flags().BoolVarP(&watch, "watch", "w", false, "repeat until ctrl-C")
	stats.Flags().DurationVar(&interval, "interval", 2*time.Second, "with --watch: repeat this often")
	jsonFlag(stats, &asJSON, "write a line of JSON for each queue")
	return stats
}

const (
	leastInterval = 100 * time.Millisecond
	statsTimeout  = 10 * time.Second // then the server counts as away
)

// unreadable is the error for queues of which some could not be read; nil if all
// could.
func unreadable(queues []inspect.Queue) error {
	n := int64(0)
	for _, q := range queues {
		if q.Problem != "" {
			n++
		}
	}
	if n > 0 {
		return partly("%s could not be read", count(n, "queue"))
	}
	return nil
}

// showStats shows queues on a display, or as lines of JSON.
func showStats(d *display, p *printer, queues []inspect.Queue, every time.Duration, asJSON bool) error {
	if !asJSON {
		return d.show(statsText(queues, every))
	}
	for _, q := range queues {
		if err := p.line(q); err != nil {
			return err
		}
	}
	return p.flush()
}

// watchStats shows the queues again and again until ctx ends. An error ends it the
// first time only.
func watchStats(cmd *cobra.Command, pool *pgxpool.Pool, names []string, interval time.Duration, asJSON bool) (err error) {
	d, p := newDisplay(cmd, !asJSON), newPrinter(cmd, true)
	defer func() { err = errors.Join(err, d.end()) }()
	ctx := cmd.Context()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var before []inspect.Queue // nil until there was one
	for {
		limited, cancel := context.WithTimeout(ctx, statsTimeout)
		queues, err := inspect.Queues(limited, pool, names, before)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			before = queues
			err = showStats(d, p, queues, interval, asJSON)
		case before != nil:
			err = d.warn(timeText(time.Now()) + "  " + away(err))
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// away returns the line for a server that did not answer.
func away(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + statsTimeout.String()
	}
	return "no answer: " + explain(dial.Cause(err))
}
