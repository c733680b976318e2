package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue/admin"
)

// bulk is work on many messages in steps, which can be stopped and run again.
type bulk struct {
	doing string // such as "replaying"
	done  string // a format for the number of messages, such as "replayed %s to queue %q"
	args  []any  // further ones of done
	key   string // of the number in JSON
	json  bool
}

// run does the work and reports it. With fewer messages than ids were asked for it
// is done in part.
func (b bulk) run(cmd *cobra.Command, asked int64, work func(context.Context, admin.Progress) (int64, error)) error {
	bar := newProgress(cmd, b.doing)
	moved, err := work(cmd.Context(), bar.at)
	bar.end()
	if err != nil {
		if moved == 0 {
			return err
		}
		return stoppedEarly(cmd.Context(), err, "at least "+count(moved, "message")+" done: running it again goes on")
	}
	if b.json {
		out := newPrinter(cmd, true)
		err = errors.Join(out.line(map[string]int64{b.key: moved}), out.flush())
	} else {
		err = printResult(cmd, false, b.done, append([]any{count(moved, "message")}, b.args...)...)
	}
	if err != nil {
		return err
	}
	if moved < asked {
		return partly("%s not there", count(asked-moved, "message"))
	}
	return nil
}
