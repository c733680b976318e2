package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
)

// job is work on many messages in steps, which can be stopped and run again.
type job struct {
	doing, done string // such as "replaying", and "replayed %s to queue %q"
	key         string // of the number in JSON
	json        bool
}

// run does the work on a queue. It is done in part when fewer messages were moved
// than were asked for by their ids.
func (j job) run(cmd *cobra.Command, name string, asked int64, work func(context.Context, queue.Progress) (int64, error)) error {
	bar := newProgress(cmd, j.doing)
	moved, err := work(cmd.Context(), bar.at)
	bar.end()
	if err != nil {
		if moved == 0 {
			return err
		}
		return early(cmd.Context(), err, "at least "+count(moved, "message")+" done: running it again goes on")
	}
	if j.json {
		out := newPrinter(cmd, true)
		err = errors.Join(out.line(map[string]int64{j.key: moved}), out.flush())
	} else {
		err = say(cmd, false, j.done, count(moved, "message"), name)
	}
	if err != nil {
		return err
	}
	if moved < asked {
		return partly("%s not there", count(asked-moved, "message"))
	}
	return nil
}
