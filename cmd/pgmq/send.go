package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
)

func sendCommand(t *target) *cobra.Command {
	var s sending
	send := &cobra.Command{
		Use:   "send QUEUE [BODY | -]",
		Short: "Send a message, or a message for each line of a file or pipe",
		Long: strings.TrimSpace(`
Send BODY, which must be JSON, or else each line of --file or of standard input.

Lines go in batches of up to 1,000, each in one statement, so a file may be of
any length. A line is left out and reported by its number when it is not JSON,
when Postgres cannot store it, or when it is longer than 16 MiB. Blank lines are
ignored. When the command stops early, it says up to which line all is sent:
--skip goes on there.

With --envelope a line is {"message": …, "headers": {…}, "delay": 5}. Only
message is required; delay is in seconds. The lines that read, peek and archive
list write are envelopes, too. The flags are defaults for what a line leaves
out.`),
		Example: `  pgmq send orders '{"order_id": 42}'
  pgmq send reminders '"stand up"' --delay 20m
  pgmq send orders --file orders.jsonl
  pgmq send orders --file orders.jsonl --skip 120000
  pgmq archive list orders --since 24h | pgmq send orders_copy --envelope`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || len(args) > 2:
				return exactly("QUEUE", "[BODY | -]")(cmd, args)
			case s.file != "" && len(args) == 2:
				return usage(cmd, errors.New("a body and --file exclude each other"))
			case s.file == "" && len(args) == 1 && !inputIsPiped():
				return usage(cmd, errors.New("nothing to send: give a body, --file, or lines on standard input"))
			}
			return s.prepare(cmd)
		},
		ValidArgsFunction: completeQueues(t, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && args[1] != "-" {
				return s.one(cmd, t, args[0], []byte(args[1]))
			}
			return s.lines(cmd, t, args[0])
		},
	}
	flags := send.Flags()
	flags.StringVar(&s.file, "file", "", "send the lines of this file; - is standard input")
	flags.BoolVar(&s.envelope, "envelope", false, "lines are objects with message, headers and delay")
	flags.IntVar(&s.skip, "skip", 0, "leave out the first `N` lines")
	flags.DurationVar(&s.delay, "delay", 0, "how long to hide messages, such as 90s or 2h")
	flags.StringVar(&s.rawHeaders, "headers", "", "a JSON object that goes with the body")
	flags.StringVar(&s.group, "group", "", "the group within which messages keep their order")
	jsonFlag(send, &s.json, "write the id of each message as a line of JSON")
	completeFiles(send, "file")
	return send
}

// sending are the flags of send.
type sending struct {
	file, rawHeaders, group string
	envelope, json          bool
	skip                    int
	delay                   time.Duration
	headers                 queue.Headers // of --headers and --group
}

// prepare checks the flags.
func (s *sending) prepare(cmd *cobra.Command) (err error) {
	if s.headers, err = parseHeaders(s.rawHeaders); err != nil {
		return usage(cmd, err)
	}
	if s.delay < 0 || s.skip < 0 {
		return usage(cmd, errors.New("--delay and --skip must not be negative"))
	}
	if s.group != "" {
		s.headers = merged(s.headers, queue.Headers{"x-pgmq-group": s.group})
	}
	return nil
}

// merged returns the headers of both; those of b win.
func merged(a, b queue.Headers) queue.Headers {
	if a == nil && b == nil {
		return nil
	}
	all := queue.Headers{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// parse makes a message of a body or a line.
func (s *sending) parse(text []byte) (queue.Outgoing[body], error) {
	if _, err := parseBody(text); err != nil || !s.envelope {
		return s.outgoing(text, s.headers, s.delay), err
	}
	e, err := parseEnvelope(text)
	if err != nil {
		return queue.Outgoing[body]{}, err
	}
	delay := s.delay
	switch seconds := e.Delay; {
	case seconds < 0 || seconds >= math.MaxInt64/float64(time.Second):
		return queue.Outgoing[body]{}, errors.New("its delay must not be negative, or above 292 years")
	case seconds > 0:
		delay = time.Duration(seconds * float64(time.Second))
	}
	return s.outgoing(e.Message, merged(s.headers, e.Headers), delay), nil
}

func (s *sending) outgoing(b body, headers queue.Headers, delay time.Duration) queue.Outgoing[body] {
	return queue.Outgoing[body]{Body: b, Options: []queue.SendOption{headers, queue.Delay(delay)}}
}

// one sends a body from the command line.
func (s *sending) one(cmd *cobra.Command, t *target, name string, text []byte) error {
	m, err := s.parse(text)
	if err != nil {
		return usage(cmd, fmt.Errorf(`the body cannot be sent: %w (it must be JSON: a string needs its quotes, '"text"')`, err))
	}
	return withQueue(cmd, t, name, func(q *queue.Queue[body]) error {
		ids, err := q.SendMessages(cmd.Context(), m)
		if err != nil {
			return err
		}
		if s.json {
			out := newPrinter(cmd, true)
			return errors.Join(out.ids(ids), out.flush())
		}
		return printResult(cmd, false, "sent message %d to queue %q", ids[0], name)
	})
}
