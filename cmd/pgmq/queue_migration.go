package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/generate"
)

func queueMigration() *cobra.Command {
	q := generate.Stored{}
	parts := generate.Partitions{}
	var notify string
	migration := &cobra.Command{
		Use:   "migration NAME",
		Short: "Print a goose migration that creates a queue",
		Long: `Print a goose migration that creates a queue and its archive, for the
application's own migrations. Down it drops them, and refuses while messages are
left, unless the session has pgmq.drop_messages set to on. No database is
needed.`,
		Example: `  pgmq queue migration orders > migrations/00042_pgmq_orders.sql
  pgmq queue migration events \
    --partition-every '1 day' --partition-keep '30 days' \
    > migrations/00043_pgmq_events.sql
  PGOPTIONS='-c pgmq.drop_messages=on' \
    goose -dir migrations postgres "$DATABASE_URL" down`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Name = args[0]
			if cmd.Flags().Changed("partition-every") || cmd.Flags().Changed("partition-keep") {
				q.Partitions = parts
			} else if cmd.Flags().Changed("premake") || parts.DropUnread {
				return usage(cmd, fmt.Errorf("--premake and --drop-unread need --partition-every and --partition-keep"))
			}
			if cmd.Flags().Changed("notify") {
				interval, err := generate.ParseNotify(notify)
				if err != nil {
					return usage(cmd, fmt.Errorf("--notify is %q; it must be %w", notify, err))
				}
				q.Notify = interval
			}
			if err := q.Check(); err != nil {
				return usage(cmd, err)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), generate.Migration("pgmq queue migration", generate.Diff(nil, []generate.Stored{q})))
			return err
		},
	}
	flags := migration.Flags()
	flags.BoolVar(&q.Unlogged, "unlogged", false, "faster, but a crash empties the queue")
	flags.StringVar(&parts.Every, "partition-every", "", "a partition for each '1 day' or '10000'")
	flags.StringVar(&parts.Keep, "partition-keep", "", "keep them for '30 days' or '100000'")
	flags.IntVar(&parts.Premake, "premake", generate.DefaultPremake, "how many partitions to make ahead")
	flags.BoolVar(&parts.DropUnread, "drop-unread", false, "drop partitions with messages in them, too")
	flags.StringVar(&notify, "notify", "", "notify of messages, at most once in 250ms, say")
	flags.StringArrayVar(&q.Topics, "topic", nil, "get messages sent to such as 'orders.*'")
	return migration
}
