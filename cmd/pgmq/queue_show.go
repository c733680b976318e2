package main

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
)

func queueShow(t *target) *cobra.Command {
	var asJSON bool
	show := &cobra.Command{
		Use:   "show NAME",
		Short: "Tell everything about a queue",
		Long: strings.TrimSpace(`
Tell everything about a queue: what is in it, its tables, indexes, storage and
vacuums, who may do what with it, its partitions, announcements and topics, and
of which queues its first 1,000 messages are dead letters.

Messages are counted as in pgmq stats: beyond 32 MB they are estimated. What
this role may not read is named; the command then ends with exit code 3.`),
		Example: `  pgmq queue show orders
  pgmq queue show orders --json | jq .queue.grants`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				d, err := detailsOf(cmd.Context(), pool, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					out := newPrinter(cmd, true)
					err = errors.Join(out.line(d), out.flush())
				} else {
					err = newBoard(cmd, false).show(d.sheet().lines())
				}
				if err == nil && len(d.Unreadable) > 0 {
					return partly("this role may not read all of it: docs/roles.md tells which grants there are")
				}
				return err
			})
		},
	}
	jsonFlag(show, &asJSON, "write one object of JSON")
	return show
}
