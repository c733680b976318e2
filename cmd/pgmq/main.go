// Command pgmq is the operator's and the newcomer's tool: it migrates a
// database, makes and drops queues, sends, reads and settles messages, and shows
// a queue at work (pgmq demo).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// When nobody reads the output any more (| head), what was begun is still
	// finished and cleaned up.
	signal.Ignore(syscall.SIGPIPE)
	// The second signal ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	text, code := verdict(ctx, root.ExecuteContext(ctx))
	if text != "" {
		fmt.Fprintln(os.Stderr, "pgmq:", text)
	}
	return code
}
