package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

func queueCommand(t *target) *cobra.Command {
	q := &cobra.Command{
		Use:   "queue",
		Short: "Create, list, show, purge and drop queues",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	q.AddCommand(queueCreate(t), queueList(t), queueShow(t), queuePurge(t), queueDrop(t), queueMigration())
	return q
}

func queueCreate(t *target) *cobra.Command {
	var unlogged bool
	create := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a queue and its archive, unless they exist",
		Example: `  pgmq queue create orders
  pgmq queue create metrics --unlogged`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				storage := admin.Logged
				if unlogged {
					storage = admin.Unlogged
				}
				if err := admin.Create(cmd.Context(), pool, args[0], storage); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "queue %q is there\n", args[0])
				return err
			})
		},
	}
	create.Flags().BoolVar(&unlogged, "unlogged", false, "faster, but a crash of the server empties the queue")
	return create
}

func queueList(t *target) *cobra.Command {
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the queues",
		Example: `  pgmq queue list
  pgmq queue list --json | jq -r .name`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				infos, err := admin.List(cmd.Context(), pool)
				if err != nil {
					return err
				}
				if asJSON {
					return listJSON(newPrinter(cmd, true), infos)
				}
				out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(out, "NAME\tKIND\tCREATED")
				for _, info := range infos {
					fmt.Fprintf(out, "%s\t%s\t%s\n", visible([]byte(info.Name)), inspect.Kind(info), info.CreatedAt.Format(time.DateTime))
				}
				return out.Flush()
			})
		},
	}
	jsonFlag(list, &asJSON, "write a line of JSON for each queue")
	return list
}

func listJSON(p *printer, infos []admin.Info) error {
	for _, info := range infos {
		err := p.line(struct {
			Name      string    `json:"name"`
			Kind      string    `json:"kind"`
			CreatedAt time.Time `json:"created_at"`
		}{info.Name, inspect.Kind(info), info.CreatedAt})
		if err != nil {
			return err
		}
	}
	return p.flush()
}

func queueDrop(t *target) *cobra.Command {
	var yes bool
	drop := &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop a queue and its archive",
		Long:  "Drop a queue and its archive. While one of them holds messages, pass --yes.",
		Example: `  pgmq queue drop orders
  pgmq queue drop orders --yes`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				drop := dropEmpty
				if yes {
					drop = admin.Drop
				}
				if err := drop(cmd.Context(), pool, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "dropped queue %q and its archive\n", args[0])
				return err
			})
		},
	}
	drop.Flags().BoolVar(&yes, "yes", false, "drop its messages, too")
	return drop
}

// dropEmpty is admin.DropEmpty, and names the flag that drops messages, too.
func dropEmpty(ctx context.Context, pool queue.DB, name string) error {
	err := admin.DropEmpty(ctx, pool, name)
	if held, full := errors.AsType[*admin.NotEmptyError](err); full {
		return fmt.Errorf("queue %q holds %d message(s) and its archive %d: pass --yes to drop them, too", name, held.Queued, held.Archived)
	}
	return err
}
