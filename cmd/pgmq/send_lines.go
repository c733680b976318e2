package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/feed"
	"github.com/pgmq-go/pgmq/queue"
)

// atOnce is how many lines go in one statement.
const atOnce = 1000

// feeder sends a message for each line.
type feeder struct {
	*sending
	feed.Sender[queue.Outgoing[body]]
	bar *progress

	messages, bad int64
	done          int // number of the last line that is done
	begun         int // number of the last line that was passed to the server
}

func (s *sending) lines(cmd *cobra.Command, t *target, name string) error {
	if s.file == "" {
		s.file = "-"
	}
	in, err := feed.Open(s.file)
	if err != nil {
		return err
	}
	defer in.Close()
	return withQueue(cmd, t, name, func(q *queue.Queue[body]) error {
		f := feeder{sending: s, bar: newProgress(cmd, "sending")}
		out := newPrinter(cmd, true)
		f.Send = func(ctx context.Context, msgs []queue.Outgoing[body]) ([]int64, error) {
			return q.SendMessages(ctx, msgs...)
		}
		f.Sent = func(items []feed.Item[queue.Outgoing[body]], ids []int64) {
			f.messages += int64(len(ids))
			f.done = items[len(items)-1].Number
			f.bar.at(f.messages)
			if s.json {
				_ = out.ids(ids) // the next flush reports it
			}
		}
		f.LeftOut = func(number int, err error) {
			f.bad++
			f.bar.note("line %d was left out: %v", number, err)
		}
		err := f.all(cmd.Context(), in, out)
		f.bar.end()
		if err != nil {
			return f.stopped(cmd.Context(), err)
		}
		if err := printResult(cmd, s.json, "sent %s to queue %q", count(f.messages, "message"), name); err != nil {
			return err
		}
		if f.bad > 0 {
			return partly("%s left out", count(f.bad, "line"))
		}
		return nil
	})
}

func (f *feeder) all(ctx context.Context, in io.Reader, out *printer) error {
	for lines := range feed.Batches(ctx, in, atOnce) {
		var batch []feed.Item[queue.Outgoing[body]]
		var broken error // the input itself
		for _, l := range lines {
			if l.Number <= f.skip {
				continue
			}
			m, err := f.parse(l.Text)
			switch {
			case l.Err != nil && !errors.Is(l.Err, feed.ErrLongLine):
				broken = fmt.Errorf("line %d: %w", l.Number, l.Err)
				continue
			case l.Err != nil:
				err = l.Err
			}
			if err != nil {
				f.LeftOut(l.Number, err)
				continue
			}
			batch = append(batch, feed.Item[queue.Outgoing[body]]{Number: l.Number, Body: m})
			f.begun = l.Number
		}
		sending, cancel := withGrace(ctx)
		err := f.Deliver(sending, batch)
		cancel()
		if err != nil {
			return err
		}
		if err := errors.Join(broken, out.flush()); err != nil {
			return err
		}
		f.done = lines[len(lines)-1].Number
	}
	return ctx.Err()
}

// stopped adds to the error that ended the sending where to go on.
func (f *feeder) stopped(ctx context.Context, err error) error {
	if f.begun == 0 {
		return err
	}
	done := fmt.Sprintf("%s sent, up to line %d: --skip %d goes on from there", count(f.messages, "message"), f.done, f.done)
	definite := errors.As(err, new(*pgconn.PgError)) || pgconn.SafeToRetry(err) || f.done == f.begun
	if !definite {
		done += fmt.Sprintf(", but lines %d to %d may have been sent or not", f.done+1, f.begun)
	}
	return stoppedEarly(ctx, err, done)
}
