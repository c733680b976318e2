package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

const jsonHelp = `
The output is a line of JSON for each message, with the names of PGMQ's columns.
At a terminal it is text, unless --json is given. The exit code is 3 when there
was no message. In place of a message that does not come out, because it is
damaged or too large, there is a line with its msg_id and the error: delete and
archive take it as it is.`

// inMemory is how many messages a command holds at once.
const inMemory = 100

func readCommand(t *target) *cobra.Command {
	var n int
	var vt, wait time.Duration
	var asJSON bool
	read := &cobra.Command{
		Use:   "read QUEUE",
		Short: "Read messages and hide them from other readers for a while",
		Long: `Read the oldest visible messages and hide them from other readers for --vt. They
come back unless they are deleted or archived by then.
` + jsonHelp,
		Example: `  pgmq read orders
  pgmq read orders -n 10 --vt 5m --wait 1m
  pgmq read orders --json | jq .message`,
		Args:              positive(exactly("QUEUE"), &n),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if vt <= 0 || wait < 0 {
				return usage(cmd, errors.New("--vt must be positive; --wait must not be negative"))
			}
			return withQueue(cmd, t, args[0], func(q *queue.Queue[body]) error {
				out, all := newPrinter(cmd, asJSON), 0
				for all < n {
					msgs, err := q.Read(cmd.Context(), min(n-all, inMemory), queue.VT(vt), queue.WaitFor(wait))
					failed, err := out.unfetched(err)
					if err != nil {
						return err
					}
					for _, m := range msgs {
						if err := out.print(recordOf(m), "hidden for "+vt.String()); err != nil {
							return err
						}
					}
					if err := out.flush(); err != nil {
						return err
					}
					read := len(msgs) + len(failed)
					if all += read; read < inMemory {
						break
					}
					wait = 0
				}
				if all == 0 {
					return partly("queue %q: no message is visible", args[0])
				}
				return printResult(cmd, true, "read %s of queue %q, hidden for %v", count(int64(all), "message"), args[0], vt)
			})
		},
	}
	read.Flags().IntVarP(&n, "number", "n", 1, "read at most this many messages")
	read.Flags().DurationVar(&vt, "vt", 30*time.Second, "how long to hide them, their VT")
	read.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a first message")
	jsonFlag(read, &asJSON, "write lines of JSON to a terminal, too")
	return read
}

func popCommand(t *target) *cobra.Command {
	var n int
	var asJSON bool
	pop := &cobra.Command{
		Use:   "pop QUEUE",
		Short: "Read messages and delete them at once",
		Long: `Read the oldest visible messages and delete them. A message that is lost after
this command has written it is lost for good: where that matters, use read and
delete. One that does not come out goes to the archive.
` + jsonHelp,
		Example: `  pgmq pop orders
  pgmq pop orders -n 100 > orders.jsonl`,
		Args:              positive(exactly("QUEUE"), &n),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withQueue(cmd, t, args[0], func(q *queue.Queue[body]) error {
				out, popped := newPrinter(cmd, asJSON), 0
				// One by one: a pop deletes only messages that are then written.
				for popped < n && cmd.Context().Err() == nil {
					msgs, err := popOne(cmd.Context(), q)
					failed, err := out.unfetched(err)
					if err != nil {
						return err
					}
					if len(msgs)+len(failed) == 0 {
						break
					}
					popped++
					if len(msgs) == 0 { // it is in the archive
						if err := out.flush(); err != nil {
							return err
						}
						continue
					}
					if err := errors.Join(out.print(recordOf(msgs[0]), "deleted"), out.flush()); err != nil {
						return fmt.Errorf("message %d was deleted and could not be written: %w", msgs[0].ID, err)
					}
				}
				if popped == 0 && cmd.Context().Err() == nil {
					return partly("queue %q: no message is visible", args[0])
				}
				err := printResult(cmd, true, "popped %s from queue %q", count(int64(popped), "message"), args[0])
				return errors.Join(err, cmd.Context().Err())
			})
		},
	}
	pop.Flags().IntVarP(&n, "number", "n", 1, "pop at most this many messages")
	jsonFlag(pop, &asJSON, "write lines of JSON to a terminal, too")
	return pop
}

func popOne(ctx context.Context, q *queue.Queue[body]) ([]*queue.Message[body], error) {
	ctx, cancel := withGrace(ctx)
	defer cancel()
	return q.Pop(ctx, 1)
}

func peekCommand(t *target) *cobra.Command {
	var n int
	var from int64
	var asJSON bool
	peek := &cobra.Command{
		Use:   "peek QUEUE",
		Short: "Show messages, also hidden ones, and change nothing",
		Long: `Show the oldest messages of a queue, hidden or not. Peek changes nothing: it
hides no message and counts no read.
` + jsonHelp,
		Example: `  pgmq peek orders
  pgmq peek orders -n 100 --from 4200
  pgmq peek orders_dead --json | jq '.headers["x-pgmq-dead-letter"].error'`,
		Args:              positive(exactly("QUEUE"), &n),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				q, err := queue.New[body](pool, args[0])
				if err != nil {
					return err
				}
				out, all := newPrinter(cmd, asJSON), 0
				for all < n {
					now, err := admin.Now(cmd.Context(), pool)
					if err != nil {
						return err
					}
					msgs, err := q.Peek(cmd.Context(), min(n-all, inMemory), queue.FromID(from))
					failed, err := out.unfetched(err)
					if err != nil {
						return err
					}
					for _, id := range failed {
						from = max(from, id+1)
					}
					for _, m := range msgs {
						if err := out.print(recordOf(m), visibility(m.VisibleAt.Sub(now))); err != nil {
							return err
						}
						from = max(from, m.ID+1)
					}
					if err := out.flush(); err != nil {
						return err
					}
					shown := len(msgs) + len(failed)
					if all += shown; shown < inMemory {
						break
					}
				}
				if all == 0 {
					return partly("queue %q: no message is there", args[0])
				}
				return nil
			})
		},
	}
	peek.Flags().IntVarP(&n, "number", "n", 10, "show at most this many messages")
	peek.Flags().Int64Var(&from, "from", 0, "begin with this `ID`")
	jsonFlag(peek, &asJSON, "write lines of JSON to a terminal, too")
	return peek
}

// visibility says whether a message is hidden that becomes visible in that time.
func visibility(in time.Duration) string {
	switch {
	case in <= 0:
		return "visible"
	case in == math.MaxInt64: // or longer
		return "hidden for good"
	}
	return "hidden for " + in.Round(time.Second).String()
}

// positive checks the arguments, and that n is at least 1.
func positive(args cobra.PositionalArgs, n *int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if *n < 1 {
			return usage(cmd, errors.New("-n must be at least 1"))
		}
		return args(cmd, given)
	}
}
