package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
)

func deleteCommand(t *target) *cobra.Command {
	var asJSON bool
	remove := &cobra.Command{
		Use:   "delete QUEUE [ID... | -]",
		Short: "Delete messages by their ids",
		Long:  "Delete messages from a queue, for good." + idsHelp,
		Example: `  pgmq delete orders 41 42
  pgmq read orders -n 100 --json | tee done.jsonl | pgmq delete orders`,
		Args:              atLeast("QUEUE"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return idCommand{
				done: "deleted %s from queue %q",
				do: func(ctx context.Context, q *queue.Queue[body], ids []int64) ([]int64, error) {
					return q.DeleteID(ctx, ids...)
				},
			}.run(cmd, t, args[0], args[1:], asJSON)
		},
	}
	jsonFlag(remove, &asJSON, "write the id of each message that was deleted as a line of JSON")
	return remove
}

func archiveCommand(t *target) *cobra.Command {
	var asJSON bool
	archive := &cobra.Command{
		Use:   "archive QUEUE [ID... | -]",
		Short: "Archive messages by their ids; list, replay and prune an archive",
		Long: "Move messages from a queue to its archive." + idsHelp + `

For a queue that is called list, replay or prune write -- before its name.`,
		Example: `  pgmq archive orders 41 42
  pgmq archive list orders --since 24h
  pgmq archive replay orders 41
  pgmq archive prune orders --before 30d
  pgmq archive -- list 42`,
		Args:              atLeast("QUEUE"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return idCommand{
				done: "archived %s of queue %q",
				do: func(ctx context.Context, q *queue.Queue[body], ids []int64) ([]int64, error) {
					return q.ArchiveID(ctx, ids...)
				},
			}.run(cmd, t, args[0], args[1:], asJSON)
		},
	}
	jsonFlag(archive, &asJSON, "write the id of each message that was archived as a line of JSON")
	archive.AddCommand(archiveList(t), archiveReplay(t), archivePrune(t))
	return archive
}

func setVTCommand(t *target) *cobra.Command {
	var asJSON bool
	setVT := &cobra.Command{
		Use:   "set-vt QUEUE DURATION [ID... | -]",
		Short: "Hide messages by their ids for a while, or make them visible",
		Long: strings.TrimSpace(`
Hide messages from readers for DURATION from now on, such as 90s or 2h; 0s makes
them visible at once. A consumer that holds one keeps it.` + idsHelp),
		Example: `  pgmq set-vt orders 10m 42
  pgmq set-vt orders 0s 41 42`,
		Args:              atLeast("QUEUE", "DURATION"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			vt, err := time.ParseDuration(args[1])
			if err != nil || vt < 0 {
				return usage(cmd, errors.New("DURATION must be a time such as 90s or 2h, and not negative"))
			}
			done := "hid %s of queue %q for " + vt.String() + " from now on"
			if vt == 0 {
				done = "made %s of queue %q visible"
			}
			return idCommand{
				done: done,
				do: func(ctx context.Context, q *queue.Queue[body], ids []int64) ([]int64, error) {
					return q.SetVTID(ctx, vt, ids...)
				},
			}.run(cmd, t, args[0], args[2:], asJSON)
		},
	}
	jsonFlag(setVT, &asJSON, "write the id of each message that was hidden as a line of JSON")
	return setVT
}
