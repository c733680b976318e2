package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
)

// reasons are those that a message can be a dead letter for.
var reasons = []string{
	string(queue.ReasonMaxReads), string(queue.ReasonUndecodable), string(queue.ReasonDeadLetter), string(queue.ReasonDiscarded),
}

func redriveCommand(t *target) *cobra.Command {
	var only struct {
		ids                []int64
		containing, reason string
		rate               float64
	}
	var asJSON bool
	redrive := &cobra.Command{
		Use:   "redrive FROM TO",
		Short: "Move dead letters back to where they are worked on",
		Long: strings.TrimSpace(`
Move every visible message of the queue FROM to the queue TO, as a new message,
oldest first: all that were there when it began, or those that all flags name.
It goes in steps, each in one statement: whatever stops it, no message is lost
or doubled, and running it again goes on.

The reasons are max reads, undecodable, dead letter and discarded.`),
		Example: `  pgmq peek orders_dead
  pgmq redrive orders_dead orders --id 41,42
  pgmq redrive orders_dead orders --containing '{"customer": "ada"}'
  pgmq redrive orders_dead orders --reason "max reads" --rate 50`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case only.reason != "" && !slices.Contains(reasons, only.reason):
				return usage(cmd, fmt.Errorf("no --reason %q, only %s", only.reason, strings.Join(reasons, ", ")))
			case only.containing != "" && !json.Valid([]byte(only.containing)):
				return usage(cmd, errors.New(`--containing is no JSON, such as {"customer": "ada"}`))
			case !(only.rate >= 0):
				return usage(cmd, errors.New("--rate is messages a second, and not below 0"))
			}
			return exactly("FROM", "TO")(cmd, args)
		},
		ValidArgsFunction: completeQueues(t, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			slices.Sort(only.ids)
			only.ids = slices.Compact(only.ids)
			opts := []queue.RedriveOption{queue.Rate(only.rate)}
			if len(only.ids) > 0 {
				opts = append(opts, queue.IDs(only.ids))
			}
			if only.containing != "" {
				opts = append(opts, queue.Containing(only.containing))
			}
			if only.reason != "" {
				opts = append(opts, queue.Reason(only.reason))
			}
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				job := job{doing: "redriving", done: "redrove %s to queue %q", key: "redriven", json: asJSON}
				return job.run(cmd, args[1], int64(len(only.ids)), func(ctx context.Context, p queue.Progress) (int64, error) {
					return queue.Redrive(ctx, pool, args[0], args[1], append(opts, p)...)
				})
			})
		},
	}
	flags := redrive.Flags()
	flags.Int64SliceVar(&only.ids, "id", nil, "only these ids, in FROM")
	flags.StringVar(&only.containing, "containing", "", "only bodies that contain this JSON, as @> does")
	flags.StringVar(&only.reason, "reason", "", "only what died for this reason")
	flags.Float64Var(&only.rate, "rate", 0, "so many messages a second at most; 0 is no limit")
	jsonFlag(redrive, &asJSON, `write {"redriven": N}`)
	_ = redrive.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(reasons, cobra.ShellCompDirectiveNoFileComp))
	return redrive
}
