package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
)

// atOnce is how many lines go in one statement.
const atOnce = 1000

// feeder sends a message for each line.
type feeder struct {
	*sending
	delivery[queue.Outgoing[body]]
	bar *progress

	messages, bad int64
	done          int // number of the last line that is done with
	begun         int // number of the last line that was given to the server
}

func (s *sending) lines(cmd *cobra.Command, t *target, name string) error {
	if s.file == "" {
		s.file = "-"
	}
	in, err := openLines(s.file)
	if err != nil {
		return err
	}
	defer in.Close()
	return withQueue(cmd, t, name, func(q *queue.Queue[body]) error {
		f := feeder{sending: s, bar: newProgress(cmd, "sending")}
		out := newPrinter(cmd, true)
		f.send = q.SendEach
		f.sent = func(part []parcel[queue.Outgoing[body]], ids []int64) {
			f.messages += int64(len(ids))
			f.done = part[len(part)-1].number
			f.bar.at(f.messages)
			if s.json {
				_ = out.ids(ids) // said by the next flush
			}
		}
		f.leftOut = func(number int, err error) {
			f.bad++
			f.bar.note("line %d was left out: %v", number, err)
		}
		err := f.feed(cmd.Context(), in, out)
		f.bar.end()
		if err != nil {
			return f.stopped(cmd.Context(), err)
		}
		if err := say(cmd, s.json, "sent %s to queue %q", count(f.messages, "message"), name); err != nil {
			return err
		}
		if f.bad > 0 {
			return partly("%s left out", count(f.bad, "line"))
		}
		return nil
	})
}

func (f *feeder) feed(ctx context.Context, in io.Reader, out *printer) error {
	for lines := range batches(ctx, in, atOnce) {
		var batch []parcel[queue.Outgoing[body]]
		var broken error // the input itself
		for _, l := range lines {
			if l.number <= f.skip {
				continue
			}
			m, err := f.parse(l.text)
			switch {
			case l.err != nil && !errors.Is(l.err, errLongLine):
				broken = fmt.Errorf("line %d: %w", l.number, l.err)
				continue
			case l.err != nil:
				err = l.err
			}
			if err != nil {
				f.leftOut(l.number, err)
				continue
			}
			batch = append(batch, parcel[queue.Outgoing[body]]{l.number, m})
			f.begun = l.number
		}
		sending, cancel := finishing(ctx)
		err := f.deliver(sending, batch)
		cancel()
		if err != nil {
			return err
		}
		if err := errors.Join(broken, out.flush()); err != nil {
			return err
		}
		f.done = lines[len(lines)-1].number
	}
	return ctx.Err()
}

// stopped says where to go on after what ended the sending too early.
func (f *feeder) stopped(ctx context.Context, err error) error {
	if f.begun == 0 {
		return err
	}
	done := fmt.Sprintf("%s sent, up to line %d: --skip %d goes on from there", count(f.messages, "message"), f.done, f.done)
	definite := errors.As(err, new(*pgconn.PgError)) || pgconn.SafeToRetry(err) || f.done == f.begun
	if !definite {
		done += fmt.Sprintf(", but lines %d to %d may have been sent or not", f.done+1, f.begun)
	}
	return early(ctx, err, done)
}
