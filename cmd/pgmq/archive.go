package main

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// span are the flags for when messages were archived.
type span struct{ since, until timeFlag }

func (s *span) flags(cmd *cobra.Command) {
	cmd.Flags().Var(&s.since, "since", "only messages archived then or later")
	cmd.Flags().Var(&s.until, "until", "only messages archived before then")
}

// by returns the two times by the server's clock.
func (s *span) by(cmd *cobra.Command, pool *pgxpool.Pool) (since, until time.Time, err error) {
	now, err := admin.Now(cmd.Context(), pool)
	return s.since.by(now), s.until.by(now), err
}

const spanHelp = `
A time is how long ago, such as 12h or 30d, or a date, or a time such as
2026-01-31T15:04:05Z. Without a zone it is in the zone of this machine.`

func archiveList(t *target) *cobra.Command {
	var n int
	var from int64
	var archived span
	var asJSON bool
	list := &cobra.Command{
		Use:   "list QUEUE",
		Short: "Write the messages of an archive",
		Long:  "Write the messages of an archive, by rising ids. The command changes nothing.\n" + spanHelp + "\n" + jsonHelp,
		Example: `  pgmq archive list orders
  pgmq archive list orders --since 2026-01-01 --until 2026-02-01 > january.jsonl
  pgmq archive list orders --from 4200 -n 10`,
		Args:              exactly("QUEUE"),
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPool(cmd, t, func(pool *pgxpool.Pool) error {
				q, err := queue.New[body](pool, args[0])
				if err != nil {
					return err
				}
				since, until, err := archived.by(cmd, pool)
				if err != nil {
					return err
				}
				out, all := newPrinter(cmd, asJSON), 0
				for m, err := range q.Archived(cmd.Context(), queue.FromID(from), queue.Since(since), queue.Until(until)) {
					if err != nil {
						if _, err := out.unfetched(err); err != nil {
							return err
						}
					} else {
						at := stamp(m.ArchivedAt)
						r := recordOf(&m.Message)
						r.ArchivedAt = &at
						if err := out.print(r, "archived "+at.String()); err != nil {
							return err
						}
					}
					if all++; all == n {
						break
					}
				}
				if all == 0 {
					return partly("queue %q: no such message is in the archive", args[0])
				}
				return out.flush()
			})
		},
	}
	list.Flags().IntVarP(&n, "number", "n", 0, "stop after this many messages; 0 is all")
	list.Flags().Int64Var(&from, "from", 0, "begin with this `ID`")
	archived.flags(list)
	jsonFlag(list, &asJSON, "write lines of JSON to a terminal, too")
	return list
}
