package main

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/inspect"
)

func queueShow(t *target) *cobra.Command {
	var asJSON bool
	show := &cobra.Command{
		Use:   "show NAME",
		Short: "Show everything about a queue",
		Long: strings.TrimSpace(`
Show everything about a queue: its messages, tables, indexes, storage, vacuums
and grants; its partitions, notifications and topics; and the queues that its
first 1,000 messages died in, if they are dead letters.

Messages are counted as in pgmq stats: beyond 32 MB the numbers are estimates.
The output names what this role may not read; the command then exits with 3.`),
		Example: `  pgmq queue show orders
  pgmq queue show orders --json | jq .queue.grants`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				d, err := inspect.DetailsOf(cmd.Context(), pool, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					out := newPrinter(cmd, true)
					err = errors.Join(out.line(d), out.flush())
				} else {
					err = newDisplay(cmd, false).show(detailsSheet(d).lines())
				}
				if err == nil && len(d.Unreadable) > 0 {
					return partly("this role may not read all of it: docs/roles.md lists the grants")
				}
				return err
			})
		},
	}
	jsonFlag(show, &asJSON, "write one object of JSON")
	return show
}
