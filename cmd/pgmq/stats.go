package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
)

func statsCommand(t *target) *cobra.Command {
	var watch, asJSON bool
	var interval time.Duration
	stats := &cobra.Command{
		Use:   "stats [QUEUE]...",
		Short: "Show what is in the queues, and what moves",
		Long: strings.TrimSpace(`
Show what is in all queues, or in those that are named:

  TOTAL    messages: visible, in flight and delayed
  FLIGHT   hidden after a read: being handled, or waiting for another try
  DELAYED  hidden and never read
  OLDEST   how long ago the oldest visible message was sent
  NEWEST   how long ago the newest message was sent
  READS    the most reads that a message had
  SIZE     of the table with its indexes; ARCHIVE is that of the archive
  SENT/S   with --watch: sent, and DONE/S deleted or archived, in a second

Up to 32 MB of a queue is counted. Beyond, 32 MB of it are, and what is
concluded from them has a ~ in front. Of a queue that this role may not read
the command says so, and ends with exit code 3.

With --watch it looks again and again until ctrl-C. When the server is away it
says so, and goes on when it is back.`),
		Example: `  pgmq stats
  pgmq stats orders orders_dead --watch
  pgmq stats --json | jq 'select(.queue_length > 1000)'`,
		Args: func(cmd *cobra.Command, _ []string) error {
			if interval < leastInterval {
				return usage(cmd, fmt.Errorf("--interval is %v or more", leastInterval))
			}
			return nil
		},
		ValidArgsFunction: completeQueues(t, 1000),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				if watch {
					return watchStats(cmd, pool, args, interval, asJSON)
				}
				looks, err := takeLooks(cmd.Context(), pool, args, nil)
				if err != nil {
					return err
				}
				if len(looks) == 0 {
					return partly(noQueues)
				}
				if err := showStats(newBoard(cmd, false), newPrinter(cmd, true), looks, 0, asJSON); err != nil {
					return err
				}
				return unread(looks)
			})
		},
	}
	stats.Flags().BoolVarP(&watch, "watch", "w", false, "look again and again")
	stats.Flags().DurationVar(&interval, "interval", 2*time.Second, "look so often, with --watch")
	jsonFlag(stats, &asJSON, "write a line of JSON for each queue")
	return stats
}

const (
	noQueues      = "no queues: pgmq queue create NAME makes one"
	leastInterval = 100 * time.Millisecond
	lookTimeout   = 10 * time.Second // then the server counts as away
)

// unread is the end of a look at queues of which some could not be read.
func unread(looks []look) error {
	n := int64(0)
	for _, l := range looks {
		if l.Problem != "" {
			n++
		}
	}
	if n > 0 {
		return partly("%s could not be read", count(n, "queue"))
	}
	return nil
}

// showStats shows looks on a board, or as lines of JSON.
func showStats(b *board, p *printer, looks []look, every time.Duration, asJSON bool) error {
	if !asJSON {
		return b.show(statsText(looks, every))
	}
	for _, l := range looks {
		if err := p.line(l); err != nil {
			return err
		}
	}
	return p.flush()
}

// watchStats shows look after look until ctx ends. An error ends it at the first
// look only.
func watchStats(cmd *cobra.Command, pool *pgxpool.Pool, names []string, interval time.Duration, asJSON bool) (err error) {
	b, p := newBoard(cmd, !asJSON), newPrinter(cmd, true)
	defer func() { err = errors.Join(err, b.end()) }()
	ctx := cmd.Context()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var before []look // nil until there was one
	for {
		limited, cancel := context.WithTimeout(ctx, lookTimeout)
		looks, err := takeLooks(limited, pool, names, before)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			before = looks
			err = showStats(b, p, looks, interval, asJSON)
		case before != nil:
			err = b.complain(timeText(time.Now()) + "  " + away(err))
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

// away says why a look failed.
func away(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + lookTimeout.String()
	}
	return "no answer: " + plain(cause(err))
}
