// Command pgmq is the operator's and the newcomer's tool: it migrates a
// database, makes and drops queues, and shows a queue at work (pgmq demo).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes, for scripts.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // as a shell reports ctrl-C
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
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "pgmq: interrupted")
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "pgmq:", err)
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailure
}
