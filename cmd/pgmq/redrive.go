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
	"github.com/pgmq-go/pgmq/queue/admin"
)

// reasons are the reasons of dead letters.
var reasons = []string{
	string(queue.ReasonMaxReads), string(queue.ReasonUndecodable), string(queue.ReasonUnfetchable), string(queue.ReasonDeadLetter), string(queue.ReasonDiscarded),
	string(queue.ReasonTxEnded),
}

// redriving has the values of the flags of redrive.
type redriving struct {
	to, containing, reason string
	ids                    []int64
	rate                   float64
	json                   bool
}

func redriveCommand(t *target) *cobra.Command {
	var r redriving
	redrive := &cobra.Command{
		Use:   "redrive FROM [TO]",
		Short: "Move dead letters back to where they are worked on",
		Long: strings.TrimSpace(`
Move every visible message of the queue FROM back to the queue that it died in,
or all of them to the queue TO. Each becomes a new message, oldest first. With
flags it moves the messages that all of them name.

It moves what was in FROM when it began, in steps of one statement each. When it
is interrupted no message is lost or doubled, and running it again goes on.

Without TO a message stays when it names no other queue that it died in, or when
that queue is gone. The command moves the others, says so, and exits with 3.

The reasons are max reads, undecodable, unfetchable, dead letter and discarded.`),
		Example: `  pgmq peek orders_dead
  pgmq redrive orders_dead --id 41,42
  pgmq redrive orders_dead orders --containing '{"customer": "ada"}'
  pgmq redrive orders_dead --to orders --reason "max reads" --rate 50`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := r.check(args); err != nil {
				return usage(cmd, err)
			}
			if len(args) != 1 && len(args) != 2 {
				return exactly("FROM", "[TO]")(cmd, args)
			}
			return nil
		},
		ValidArgsFunction: completeQueues(t, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				r.to = args[1]
			}
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				work := bulk{doing: "redriving", done: "redrove %s to the queues that they died in", key: "redriven", json: r.json}
				if r.to != "" {
					work.done, work.args = "redrove %s to queue %q", []any{r.to}
				}
				var left error // why messages stay
				err := work.run(cmd, int64(len(r.ids)), func(ctx context.Context, p admin.Progress) (int64, error) {
					moved, err := admin.Redrive(ctx, pool, args[0], append(r.options(), p)...)
					if _, some := errors.AsType[*admin.LeftError](err); some {
						left, err = err, nil
					}
					return moved, err
				})
				if left != nil && (err == nil || errors.As(err, new(exitError))) {
					return partly("%v", left)
				}
				return err
			})
		},
	}
	flags := redrive.Flags()
	flags.StringVar(&r.to, "to", "", "the queue TO")
	flags.Int64SliceVar(&r.ids, "id", nil, "only these ids, in FROM")
	flags.StringVar(&r.containing, "containing", "", "only bodies that contain this JSON, as @> does")
	flags.StringVar(&r.reason, "reason", "", "only messages that died for this reason")
	flags.Float64Var(&r.rate, "rate", 0, "at most this many messages a second; 0 is no limit")
	jsonFlag(redrive, &r.json, `write {"redriven": N}`)
	_ = redrive.RegisterFlagCompletionFunc("to", completeQueues(t, 2))
	_ = redrive.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(reasons, cobra.ShellCompDirectiveNoFileComp))
	return redrive
}

// check checks the flags, and puts the ids in order.
func (r *redriving) check(args []string) error {
	slices.Sort(r.ids)
	r.ids = slices.Compact(r.ids)
	switch {
	case r.reason != "" && !slices.Contains(reasons, r.reason):
		return fmt.Errorf("--reason must be one of %s, not %q", strings.Join(reasons, ", "), r.reason)
	case r.containing != "" && !json.Valid([]byte(r.containing)):
		return errors.New(`--containing must be JSON, such as {"customer": "ada"}`)
	case !(r.rate >= 0):
		return errors.New("--rate must not be negative")
	case r.to != "" && len(args) == 2:
		return errors.New("TO and --to exclude each other")
	}
	return nil
}

// options returns all options: without its flag an option has its default.
func (r *redriving) options() []admin.RedriveOption {
	opts := []admin.RedriveOption{admin.To(r.to), admin.Rate(r.rate), admin.ForReason(r.reason)}
	if len(r.ids) > 0 {
		opts = append(opts, admin.IDs(r.ids))
	}
	if r.containing != "" {
		opts = append(opts, admin.Containing(r.containing))
	}
	return opts
}
