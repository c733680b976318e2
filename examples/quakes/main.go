// Command quakes sends a week of the world's earthquakes through a queue and
// shows the results: "make demo" runs it.
//
// It sends each as a message, and two consumers handle them. Some handlers fail on
// purpose, and their messages come back; one of the consumers stops on the way, and
// the other goes on. Blasts end in a dead-letter queue, are shown, redriven, and
// handled by a handler that knows them. The proof at the end: each message was
// settled exactly once, and none is left.
//
//	go run ./examples/quakes
//	go run ./examples/quakes --input events.jsonl
//	tail -n 1000 events.jsonl | go run ./examples/quakes --input -
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

const help = `Carry a week of the world's earthquakes through a queue and show what happened.

Without a database it starts a private Postgres, which is gone when the demo
ends. On a given database it installs schema pgmq and uses two queues of its
own, which it drops at the end.

Flags:
  --input FILE         carry the lines of this file instead; - is standard input
  --database-url URL   where Postgres is, else DATABASE_URL, else a private one
`

func main() {
	// When nobody reads the output any more (| head), the queues are still dropped.
	signal.Ignore(syscall.SIGPIPE)
	// The second signal ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(command(ctx, os.Args[1:]))
}

// command runs the demo and returns its exit code.
func command(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("quakes", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), help) }
	input := flags.String("input", "", "")
	url := flags.String("database-url", os.Getenv("DATABASE_URL"), "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil || flags.NArg() > 0:
		return 2
	}
	err := run(ctx, newScreen(), *url, *input)
	var output *fs.PathError // of the server it would be a *net.OpError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &output) && errors.Is(output, syscall.EPIPE):
		return 141 // as a shell reports SIGPIPE
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "quakes: interrupted")
		return 130 // as a shell reports ctrl-C
	}
	fmt.Fprintln(os.Stderr, "quakes:", err)
	return 1
}
