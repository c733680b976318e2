package main

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/dial"
	"github.com/pgmq-go/pgmq/queue/admin"
)

func maintainCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "maintain [QUEUE]",
		Short: "Make and drop the partitions of partitioned queues",
		Long: `Make the partitions that are missing, move the messages of the default partition
into them, and drop partitions older than the retention; of one queue or of all.
Run it from any scheduler, as often as you like: a second one at the same time
does no harm. It does the same as CALL pgmq.maintain_partitions().`,
		Example: `  pgmq maintain
  pgmq maintain orders`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exactly("[QUEUE]")(cmd, args)
			}
			return nil
		},
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return maintain(cmd, t, func(pool *pgxpool.Pool) error { return admin.Maintain(cmd.Context(), pool, args[0]) })
			}
			return maintain(cmd, t, func(pool *pgxpool.Pool) error { return admin.MaintainAll(cmd.Context(), pool) })
		},
	}
}

// maintain prints the notices of the server.
func maintain(cmd *cobra.Command, t *target, work func(*pgxpool.Pool) error) error {
	config, err := t.config()
	if err != nil {
		return err
	}
	done, left := 0, 0
	config.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			left++
			fmt.Fprintln(cmd.ErrOrStderr(), n.Message)
			return
		}
		done++
		fmt.Fprintln(cmd.OutOrStdout(), n.Message)
	}
	pool, err := dial.Pool(cmd.Context(), config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := work(pool); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d table(s) were left as they are", left)
	}
	if done == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "nothing to do")
	}
	return nil
}
