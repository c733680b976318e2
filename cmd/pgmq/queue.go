package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

func queueCommand(t *target) *cobra.Command {
	q := &cobra.Command{
		Use:   "queue",
		Short: "Make, list, show, purge and drop queues",
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
		Short: "Make a queue and its archive, unless they exist",
		Example: `  pgmq queue create orders
  pgmq queue create metrics --unlogged`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				storage := queue.Logged
				if unlogged {
					storage = queue.Unlogged
				}
				if err := queue.Create(cmd.Context(), pool, args[0], storage); err != nil {
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
				infos, err := queue.List(cmd.Context(), pool)
				if err != nil {
					return err
				}
				if asJSON {
					return listJSON(newPrinter(cmd, true), infos)
				}
				out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(out, "NAME\tKIND\tCREATED")
				for _, info := range infos {
					fmt.Fprintf(out, "%s\t%s\t%s\n", visible([]byte(info.Name)), kind(info), info.CreatedAt.Format(time.DateTime))
				}
				return out.Flush()
			})
		},
	}
	jsonFlag(list, &asJSON, "write a line of JSON for each queue")
	return list
}

func listJSON(p *printer, infos []queue.Info) error {
	for _, info := range infos {
		err := p.line(struct {
			Name      string    `json:"name"`
			Kind      string    `json:"kind"`
			CreatedAt time.Time `json:"created_at"`
		}{info.Name, kind(info), info.CreatedAt})
		if err != nil {
			return err
		}
	}
	return p.flush()
}

func kind(info queue.Info) string {
	switch {
	case info.Partitioned:
		return "partitioned"
	case info.Storage == queue.Unlogged:
		return "unlogged"
	}
	return "standard"
}

func queueDrop(t *target) *cobra.Command {
	var yes bool
	drop := &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop a queue and its archive",
		Long:  "Drop a queue and its archive. While one of them holds messages, only with --yes.",
		Example: `  pgmq queue drop orders
  pgmq queue drop orders --yes`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				err := dropQueue(cmd.Context(), pool, args[0], yes)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "dropped queue %q and its archive\n", args[0])
				return err
			})
		},
	}
	drop.Flags().BoolVar(&yes, "yes", false, "drop its messages, too")
	return drop
}

// dropQueue drops a queue; unless evenFull is set only an empty one, which it
// makes sure of under a lock, so that no message can slip in.
func dropQueue(ctx context.Context, pool *pgxpool.Pool, name string, evenFull bool) error {
	if evenFull {
		return queue.Drop(ctx, pool, name)
	}
	if _, err := queue.New[any](pool, name); err != nil {
		return err // a name that cannot be
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		tables := table.New(name).Bind(tx)
		var missing *pgconn.PgError
		err := db.New().Lock(ctx, tables)
		if errors.As(err, &missing) && missing.Code == "42P01" {
			return fmt.Errorf("queue %q: drop: %w", name, queue.ErrNoQueue)
		}
		if err != nil {
			return err
		}
		held, err := db.New().Count(ctx, tables)
		if err != nil {
			return err
		}
		if held.Queued+held.Archived > 0 {
			return fmt.Errorf("queue %q holds %d message(s) and its archive %d: --yes drops them, too", name, held.Queued, held.Archived)
		}
		return queue.Drop(ctx, tx, name)
	})
}

func withPool(cmd *cobra.Command, t *target, do func(*pgxpool.Pool) error) error {
	pool, err := t.pool(cmd.Context())
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(pool)
}

// withQueue opens a queue with bodies as they are stored.
func withQueue(cmd *cobra.Command, t *target, name string, do func(*queue.Queue[body]) error) error {
	return withPool(cmd, t, func(pool *pgxpool.Pool) error {
		q, err := queue.New[body](pool, name)
		if err != nil {
			return err
		}
		return do(q)
	})
}
