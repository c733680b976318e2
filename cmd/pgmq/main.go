// Command pgmq is the operator's tool: it migrates a database, creates and drops
// queues, sends, reads and settles messages, moves dead letters and archives, shows
// the contents of queues, and checks a server.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// When nobody reads the output any more (| head), a command still finishes its
	// step and cleans up.
	signal.Ignore(syscall.SIGPIPE)
	// The second signal ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	text, code := outcome(ctx, root.ExecuteContext(ctx))
	if text != "" {
		fmt.Fprintln(os.Stderr, "pgmq:", text)
	}
	return code
}
