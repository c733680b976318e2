package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue/admin"
)

func archiveReplay(t *target) *cobra.Command {
	var archived span
	var all, asJSON bool
	replay := &cobra.Command{
		Use:   "replay QUEUE [ID...]",
		Short: "Move messages from an archive back to the queue",
		Long: strings.TrimSpace(`
Move messages from an archive back to its queue, as new messages: these ids, or
--all, or the messages archived --since and --until a time. It works in steps of
one statement each. When it is interrupted no message is lost or doubled, and
running it again goes on.
` + spanHelp),
		Example: `  pgmq archive replay orders 41 42
  pgmq archive replay orders --since 2h
  pgmq archive replay orders --all`,
		Args: func(cmd *cobra.Command, args []string) error {
			span := archived != span{}
			switch {
			case len(args) == 0:
				return atLeast("QUEUE")(cmd, args)
			case len(args) == 1 && !all && !span:
				return usage(cmd, errors.New("no messages named: give ids, --since, --until or --all"))
			case len(args) > 1 && (all || span) || all && span:
				return usage(cmd, errors.New("ids, --all, and --since or --until exclude each other"))
			}
			return nil
		},
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args[1:])
			if err != nil {
				return usage(cmd, err)
			}
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				since, until, err := archived.by(cmd, pool)
				if err != nil {
					return err
				}
				opts := []admin.ReplayOption{admin.Since(since), admin.Until(until)}
				if len(ids) > 0 {
					opts = []admin.ReplayOption{admin.IDs(ids)}
				}
				work := bulk{doing: "replaying", done: "replayed %s to queue %q", args: []any{args[0]}, key: "replayed", json: asJSON}
				return work.run(cmd, int64(len(ids)), func(ctx context.Context, p admin.Progress) (int64, error) {
					return admin.Replay(ctx, pool, args[0], append(opts, p)...)
				})
			})
		},
	}
	replay.Flags().BoolVar(&all, "all", false, "replay the whole archive")
	archived.flags(replay)
	jsonFlag(replay, &asJSON, `write {"replayed": N}`)
	return replay
}

func archivePrune(t *target) *cobra.Command {
	var before timeFlag
	var yes, asJSON bool
	prune := &cobra.Command{
		Use:   "prune QUEUE --before TIME|AGO",
		Short: "Delete old messages from an archive",
		Long: strings.TrimSpace(`
Delete for good the messages that were archived before a time. It works in
steps; when it is interrupted, running it again goes on. From a scheduler run it
with --yes.
` + spanHelp),
		Example: `  pgmq archive prune orders --before 30d
  pgmq archive prune orders --before 2026-01-01 --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if before == (timeFlag{}) {
				return usage(cmd, errors.New("--before is required"))
			}
			return exactly("QUEUE")(cmd, args)
		},
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				now, err := admin.Now(cmd.Context(), pool)
				if err != nil {
					return err
				}
				end := before.by(now)
				if err := confirm(cmd, yes, "delete what was archived of queue %q before %s", args[0], timeText(end)); err != nil {
					return err
				}
				work := bulk{doing: "pruning", done: "deleted %s from the archive of queue %q", args: []any{args[0]}, key: "deleted", json: asJSON}
				return work.run(cmd, 0, func(ctx context.Context, p admin.Progress) (int64, error) {
					return admin.Prune(ctx, pool, args[0], end, p)
				})
			})
		},
	}
	prune.Flags().Var(&before, "before", "delete messages archived before then")
	prune.Flags().BoolVar(&yes, "yes", false, "do not ask")
	jsonFlag(prune, &asJSON, `write {"deleted": N}`)
	return prune
}
