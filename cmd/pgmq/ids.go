package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/feed"
	"github.com/pgmq-go/pgmq/queue"
)

// idCommand is a command on messages by their ids.
type idCommand struct {
	done string // a format, such as "deleted %s from queue %q"
	do   func(ctx context.Context, q *queue.Queue[body], ids []int64) (existed []int64, err error)
}

const idsHelp = `
The ids are arguments, or else lines of standard input: numbers, or JSON with a
msg_id, as other commands write it. The command ignores receipts: it takes a
message from the consumer that holds it.`

// run takes the ids from the arguments, or else from lines.
func (c idCommand) run(cmd *cobra.Command, t *target, name string, args []string, asJSON bool) error {
	if len(args) == 1 && args[0] == "-" {
		args = nil
	} else if len(args) == 0 && !inputIsPiped() {
		return usage(cmd, errors.New("no ids: give them as arguments, or as lines on standard input"))
	}
	ids, err := parseIDs(args)
	if err != nil {
		return usage(cmd, err)
	}
	return withQueue(cmd, t, name, func(q *queue.Queue[body]) error {
		r := idRun{idCommand: c, queue: q, out: newPrinter(cmd, true), json: asJSON}
		bar := newProgress(cmd, "working")
		err := r.all(cmd.Context(), ids, bar)
		bar.end()
		if err != nil {
			if r.existed == 0 {
				return err
			}
			return stoppedEarly(cmd.Context(), err, "before that it "+r.sentence())
		}
		if err := printResult(cmd, asJSON, "%s", r.sentence()); err != nil {
			return err
		}
		return r.rest()
	})
}

// idRun is one run of an idCommand.
type idRun struct {
	idCommand
	queue                 *queue.Queue[body]
	out                   *printer
	json                  bool
	existed, missing, bad int64
}

func (r *idRun) sentence() string {
	return fmt.Sprintf(r.done, count(r.existed, "message"), r.queue.Name())
}

// rest is the error for the ids that could not be handled.
func (r *idRun) rest() error {
	var rest []string
	if r.missing > 0 {
		rest = append(rest, count(r.missing, "message")+" not there")
	}
	if r.bad > 0 {
		rest = append(rest, count(r.bad, "line")+" left out")
	}
	if rest == nil {
		return nil
	}
	return partly("%s", strings.Join(rest, ", "))
}

func (r *idRun) all(ctx context.Context, ids []int64, bar *progress) error {
	if len(ids) > 0 {
		return r.some(ctx, ids, bar)
	}
	for lines := range feed.Batches(ctx, os.Stdin, atOnce) {
		for _, l := range lines {
			id, err := parseID(l.Text)
			if l.Err != nil {
				err = l.Err
			}
			if err != nil {
				r.bad++
				bar.note("line %d was left out: %v", l.Number, err)
				continue
			}
			ids = append(ids, id)
		}
		if err := r.some(ctx, ids, bar); err != nil {
			return err
		}
		ids = nil
	}
	return ctx.Err()
}

func (r *idRun) some(ctx context.Context, ids []int64, bar *progress) error {
	ctx, cancel := withGrace(ctx)
	defer cancel()
	existed, err := r.do(ctx, r.queue, ids)
	if err != nil {
		return err
	}
	there := make(map[int64]bool, len(existed))
	for _, id := range existed {
		there[id] = true
	}
	for _, id := range ids {
		if !there[id] {
			r.missing++
			bar.note("message %d is not in queue %q", id, r.queue.Name())
		}
	}
	r.existed += int64(len(existed))
	bar.at(r.existed)
	if r.json {
		return errors.Join(r.out.ids(existed), r.out.flush())
	}
	return nil
}

var errID = errors.New("not the id of a message, which is a number, or JSON with a msg_id")

func parseID(text []byte) (int64, error) {
	number := strings.TrimSpace(string(text))
	if strings.HasPrefix(number, "{") {
		var m struct {
			ID json.Number `json:"msg_id"`
		}
		if json.Unmarshal(text, &m) != nil {
			return 0, errID
		}
		number = m.ID.String()
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, errID
	}
	return id, nil
}

// parseIDs returns the distinct ids of a command line, in order.
func parseIDs(args []string) ([]int64, error) {
	var ids []int64
	for _, arg := range args {
		id, err := parseID([]byte(arg))
		if err != nil {
			return nil, fmt.Errorf("%q is %w", arg, err)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
