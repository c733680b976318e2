package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue/admin"
)

func queuePurge(t *target) *cobra.Command {
	var yes, asJSON bool
	purge := &cobra.Command{
		Use:   "purge NAME",
		Short: "Delete every message of a queue",
		Long:  "Delete every message of a queue, hidden ones too, for good. Its archive stays.",
		Example: `  pgmq queue purge orders
  pgmq queue purge orders --yes`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				stats, err := admin.Stats(cmd.Context(), pool, args[0])
				if err != nil {
					return err
				}
				if err := confirm(cmd, yes, "delete all of queue %q: %s", args[0], count(stats.Length, "message")); err != nil {
					return err
				}
				work := bulk{doing: "purging", done: "deleted %s from queue %q", args: []any{args[0]}, key: "deleted", json: asJSON}
				return work.run(cmd, 0, func(ctx context.Context, _ admin.Progress) (int64, error) {
					return admin.Purge(ctx, pool, args[0])
				})
			})
		},
	}
	purge.Flags().BoolVar(&yes, "yes", false, "do not ask")
	jsonFlag(purge, &asJSON, `write {"deleted": N}`)
	return purge
}
